"""A first configuration, guessed from files: what they are, and what is in their columns."""
