"""How a batch becomes gradients: one file per way."""
