"""Checks the machine, the environment, a configuration and its logs, and says in plain words what is wrong.

Nothing is written but a probe file in the folders that a run writes to.
"""

from tandem.pipeline.doctor.examination import examine, findings

__all__ = ["examine", "findings"]
