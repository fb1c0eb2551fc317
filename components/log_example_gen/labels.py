"""Labels depend on each other: a like needs a click."""

from __future__ import annotations

from collections.abc import Sequence

from tandem.components.log_example_gen.settings import Label
from tandem.components.log_example_gen.sources import LogsError


def parents_first(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Orders labels so that each comes after its parent.

    Raises:
      LogsError: A name comes twice, a parent is no label, or the parents form a circle.
    """
    names = [label.name for label in labels]
    if len(set(names)) < len(names):
        raise LogsError(f"labels must have different names, got {names}")
    ordered: list[Label] = []
    pending = list(labels)
    while pending:
        placed = {label.name for label in ordered}
        ready = [label for label in pending if label.parent is None or label.parent in placed]
        if not ready:
            for label in pending:
                if label.parent not in names:
                    raise LogsError(
                        f"label '{label.name}' has the parent '{label.parent}', which is no label; there are {names}"
                    )
            raise LogsError(f"the parents of the labels {[label.name for label in pending]} form a circle")
        ordered += ready
        pending = [label for label in pending if label not in ready]
    return tuple(ordered)


def ancestors(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """Returns, by label name, its parent, the parent's parent and so on."""
    chains: dict[str, tuple[str, ...]] = {}
    for label in parents_first(labels):
        chains[label.name] = (label.parent, *chains[label.parent]) if label.parent is not None else ()
    return chains
