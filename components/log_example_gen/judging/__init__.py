"""What the rows and counts of a run say of the logs: what stops it, and what is only told."""
