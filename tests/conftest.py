"""What all tests share: the environment that the command line sets before TensorFlow is imported; no deadlines."""

import os

import hypothesis

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# No test depends on the machine's speed.
hypothesis.settings.register_profile("tandem", deadline=None)
hypothesis.settings.load_profile("tandem")
