"""The pipeline on this machine: runner, progress, log, result."""
