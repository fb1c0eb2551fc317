"""Settings and files -> what is to be read from where."""
