"""Labels depend on each other: a like needs a click."""

from __future__ import annotations

import graphlib
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings.columns import Label


def parents_first(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Orders labels by their generation, those of the same one as they come: each stands after its parent.

    Raises:
      LogsError: A name comes twice, a parent is no label, or the parents form a circle.
    """
    by_name = {label.name: label for label in labels}
    names = [label.name for label in labels]
    if len(by_name) < len(names):
        raise LogsError(f"labels must have different names, got {names}")
    for label in labels:
        if label.parent is not None and label.parent not in by_name:
            raise LogsError(
                f"label '{label.name}' has the parent '{label.parent}', which is no label; there are {names}"
            )
    order = graphlib.TopologicalSorter(
        {label.name: () if label.parent is None else (label.parent,) for label in labels}
    )
    try:
        order.prepare()
    except graphlib.CycleError as error:
        raise LogsError(f"the parents of the labels {sorted(set(error.args[1]))} form a circle") from error
    ordered: list[Label] = []
    while order.is_active():
        generation = sorted(order.get_ready(), key=names.index)
        ordered += [by_name[name] for name in generation]
        order.done(*generation)
    return tuple(ordered)


def ancestors(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """Returns, by label name, its parent, the parent's parent and so on."""
    chains: dict[str, tuple[str, ...]] = {}
    for label in parents_first(labels):
        chains[label.name] = (label.parent, *chains[label.parent]) if label.parent is not None else ()
    return chains
