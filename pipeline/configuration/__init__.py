"""The typed configuration: a YAML file in, settings or sentences out."""
