"""The metrics of the evaluation: their names, which way is better, and when they have no value.

Plain data, so that settings can be checked without importing the evaluation itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricInfo:
    """What is known about a metric by its name.

    Attributes:
      better: Which way is better; None where neither is (a calibration of 1 is best; counts just count).
      undefined: Why it can be without a value (nan), for messages.
      best: The value above 0 that is best, where neither more nor less is better.
    """

    better: Literal["higher", "lower"] | None
    undefined: str = ""
    best: float | None = None


_NO_USER = "no user has rows of both classes"

METRICS: dict[str, MetricInfo] = {
    "auc": MetricInfo("higher", "one class only"),
    "gauc": MetricInfo("higher", _NO_USER),
    "gauc_by_impressions": MetricInfo("higher", _NO_USER),
    "gauc_by_positives": MetricInfo("higher", _NO_USER),
    "log_loss": MetricInfo("lower", "no rows"),
    "normalized_entropy": MetricInfo("lower", "one class only"),
    "calibration": MetricInfo(None, "no positive row", best=1.0),
    "expected_calibration_error": MetricInfo("lower", "no rows"),
    "example_count": MetricInfo(None),
    "positive_count": MetricInfo(None),
    "gauc_users": MetricInfo(None),
    "gauc_users_left_out": MetricInfo(None),
    "gauc_rows_left_out": MetricInfo(None),
}
"""By metric name. `gauc` weighs every user alike, `gauc_by_impressions` by the rows that count for the output,
`gauc_by_positives` by the output's positives (clicks, for a click probability)."""
