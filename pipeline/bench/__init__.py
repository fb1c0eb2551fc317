"""Trains systems and ablations on the same examples, several seeds each, and makes one table of them."""
