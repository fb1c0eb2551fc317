"""The pipeline as a package for Kubeflow."""
