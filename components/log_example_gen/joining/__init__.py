"""Clicks, conversions and side tables find their impression."""
