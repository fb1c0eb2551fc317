"""From the sums of a slice to what the evaluation says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.components.evaluator.results import BASELINE, CANDIDATE, DIFFERENCE, Curves, MetricValue
from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.curves import curves
from tandem.components.metrics.estimates import jackknifed_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.evaluator.results import Compared, Model
    from tandem.components.metrics.estimates import IntervalEstimate
    from tandem.components.metrics.slice_key import SliceKey
    from tandem.components.metrics.statistics import Statistics


@dataclass(frozen=True)
class SliceResults:
    """What is known of a slice.

    Attributes:
      slice: Over which rows.
      metrics: Of each model and output, and of the candidate less the baseline.
      curves: Of each output and model that has scores; of all rows only.
    """

    slice: SliceKey
    metrics: tuple[MetricValue, ...]
    curves: tuple[Curves, ...] = ()


def slice_results(
    statistics: Statistics, models: Sequence[Model], outputs: Sequence[str], grouped: bool = True
) -> SliceResults:
    """Computes the metrics and curves of a slice.

    Args:
      statistics: Of one slice, every key once.
      models: CANDIDATE, and BASELINE where there is one.
      outputs: Their names, in the order of the scores' columns within a model.
      grouped: Whether rows belong to users; if not, there is no GAUC.
    """
    (key,) = statistics.slices
    columns = [(model, output) for model in models for output in outputs]
    measured = dict(zip(columns, jackknifed_metrics(statistics, len(columns)), strict=True))
    estimates: dict[tuple[Compared, str], dict[str, IntervalEstimate]] = {}
    for column, of_column in measured.items():
        estimates[column] = of_column.estimates()
    if BASELINE in models:
        for output in outputs:
            estimates[DIFFERENCE, output] = measured[CANDIDATE, output].difference(measured[BASELINE, output])
    metrics = tuple(
        MetricValue(model, key, output, name, each.value, each.low, each.high)
        for (model, output), of_model in estimates.items()
        for name, each in of_model.items()
        if grouped or not METRICS[name].of_users
    )
    if key:
        return SliceResults(key, metrics)
    found = []
    for output in outputs:
        together = {model: columns.index((model, output)) for model in models}
        for model, number in together.items():
            fields = curves(statistics, number, beside=list(together.values()))
            if fields is not None:
                found.append(Curves(model=model, output=output, **fields))
    return SliceResults(key, metrics, tuple(found))
