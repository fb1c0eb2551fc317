"""Transformed examples -> a trained system: the loop, and all that it stands on."""
