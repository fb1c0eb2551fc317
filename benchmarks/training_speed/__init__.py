"""Training speed beside other libraries on one workload: `python -m benchmarks.training_speed --help`."""
