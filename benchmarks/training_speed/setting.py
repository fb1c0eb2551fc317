"""The setting that all systems have: that of the PICO paper; what it leaves open is as in our own systems."""

DIM, EXPERTS, EXPERT_LAYERS, TOWER_LAYERS = 8, 3, (64,), (64, 32, 16)
BATCH, LEARNING_RATE = 1024, 5e-4
