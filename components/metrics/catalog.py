"""The metrics of the evaluation, an entry each: which way is better, where its interval is symmetric, and its formula.

Formulas are arithmetic on `Totals`, and nothing here imports numpy, so that settings can be checked without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from tandem.components.metrics.totals import Totals

Scale = Literal["identity", "from_0", "log", "log_odds"]
"""Where an interval is symmetric: on the metric's own scale, there but cut off at 0, in logarithms, in log-odds."""


@dataclass(frozen=True)
class CatalogEntry:
    """What is known about a metric.

    Attributes:
      better: Which way is better; None where neither is (a calibration of 1 is best; counts just count).
      scale: Where its interval is symmetric; None for counts, which have no interval.
      formula: From sums over L sets of rows to the metric of each, [L]; nan where it has no value.
      undefined: Why it can be without a value, for messages.
      best: The value above 0 that is best, where neither more nor less is better.
      of_users: Whether it is about users: there is no such metric where rows belong to none.
    """

    better: Literal["higher", "lower"] | None
    scale: Scale | None
    formula: Callable[[Totals], NDArray[np.float64]]
    undefined: str = ""
    best: float | None = None
    of_users: bool = False


_NO_USER = "no user has rows of both classes"

METRICS: dict[str, CatalogEntry] = {
    "auc": CatalogEntry("higher", "log_odds", lambda of: of.auc, "one class only"),
    "gauc": CatalogEntry("higher", "log_odds", lambda of: of.aucs / of.users, _NO_USER, of_users=True),
    "gauc_by_impressions": CatalogEntry(
        "higher", "log_odds", lambda of: of.aucs_by_weight / of.user_weight, _NO_USER, of_users=True
    ),
    "gauc_by_positives": CatalogEntry(
        "higher", "log_odds", lambda of: of.aucs_by_positives / of.user_positives, _NO_USER, of_users=True
    ),
    "log_loss": CatalogEntry("lower", "log", lambda of: of.losses / of.weight, "no rows"),
    "normalized_entropy": CatalogEntry("lower", "log", lambda of: of.losses / of.weight / of.entropy, "one class only"),
    "calibration": CatalogEntry(None, "log", lambda of: of.scores / of.positive_weight, "no positive row", best=1.0),
    "expected_calibration_error": CatalogEntry("lower", "from_0", lambda of: of.residuals / of.weight, "no rows"),
    "example_count": CatalogEntry(None, None, lambda of: of.rows),
    "positive_count": CatalogEntry(None, None, lambda of: of.positives),
    "gauc_users": CatalogEntry(None, None, lambda of: of.users, of_users=True),
    "gauc_users_left_out": CatalogEntry(None, None, lambda of: of.users_left_out, of_users=True),
    "gauc_rows_left_out": CatalogEntry(None, None, lambda of: of.rows_left_out, of_users=True),
    "gauc_rows_without_user": CatalogEntry(None, None, lambda of: of.rows_unnamed, of_users=True),
}
"""By metric name. `gauc` weighs every user alike, `gauc_by_impressions` by the rows that count for the output,
`gauc_by_positives` by the output's positives (clicks, for a click probability); in a weighted evaluation, by the sums
of their weights."""

INTERVAL_METRICS: tuple[str, ...] = tuple(name for name, entry in METRICS.items() if entry.scale is not None)
"""The metrics that have intervals: all but the counts."""

SCALES: tuple[Scale, ...] = tuple(entry.scale for entry in METRICS.values() if entry.scale is not None)
"""Theirs, in the same order."""
