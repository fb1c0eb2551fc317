"""The report of a run: one HTML file from which people decide whether to ship a model."""
