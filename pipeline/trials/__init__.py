"""One training apart from the pipeline, in a process of its own, judged and timed."""
