"""How much an evaluation is worth: a bound may be kept by chance where a few positive rows decide."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tandem.components.evaluator.results import CANDIDATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tandem.components.evaluator.results import MetricValue

FEW_POSITIVES = 10
"""With fewer positive rows an output is hardly judged at all."""

MANY_POSITIVES = 100
"""With fewer, it is told where there is no interval of AUC."""

WIDE_AUC = 0.2
"""An interval of AUC that is wider leaves open whether the model ranks well or not at all."""


def thin_evidence(metrics: Iterable[MetricValue], outputs: Sequence[str]) -> tuple[str, ...]:
    """Says of which outputs the evaluation knows little, a sentence without its full stop each.

    Args:
      metrics: Of an evaluation; those of the candidate over all rows count.
      outputs: Those that are judged.
    """
    of_output: dict[str, dict[str, MetricValue]] = {output: {} for output in outputs}
    for each in metrics:
        if each.model == CANDIDATE and not each.slice and each.output in of_output:
            of_output[each.output][each.metric] = each
    return tuple(
        f"{output_text(output)} has {' and '.join(found)}"
        for output, measured in of_output.items()
        if (found := list(_doubts(measured)))
    )


def output_text(name: str) -> str:
    """Names an output in a sentence: one that is called by a number or by several words stands in quotes.

    >>> output_text("click"), output_text("4_given_click")
    ('click', "'4_given_click'")
    """
    return name if name.isidentifier() else f"'{name}'"


def _doubts(measured: Mapping[str, MetricValue]) -> Iterator[str]:
    """Yields what follows "OUTPUT has"."""
    positives, auc = measured.get("positive_count"), measured.get("auc")
    if positives is None or math.isnan(positives.value):
        return
    if positives.value < FEW_POSITIVES:
        number = f"{positives.value:,.0f}" if positives.value else "no"
        yield f"{number} positive row{'' if positives.value == 1 else 's'} in the evaluation"
    if auc is None or math.isnan(auc.value):
        return
    if not (math.isnan(auc.low) or math.isnan(auc.high)):
        if auc.high - auc.low > WIDE_AUC:
            yield f"an AUC that may be anything from {auc.low:.2f} to {auc.high:.2f}"
    elif positives.value < MANY_POSITIVES:
        yield "an AUC whose interval is unknown"
