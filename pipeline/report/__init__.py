"""The report of the last run: what it is told, and how it is shown."""
