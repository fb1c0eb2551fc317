"""The table, the gates and PICO's temperatures as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tandem.pipeline.bench.table import ComparisonTable, SystemResult
    from tandem.pipeline.trials.report import Distribution

INCHES_PER_ROW = 0.34
DOTS_PER_INCH = 130
INK, ACCENT = "#444444", "#2c6fb3"
EXPERT_GROUPS = ("general", "task", "learner")
"""What the columns of `gate_groups/<task>` stand for: experts of all tasks, of the task, of the learner."""

SMALLEST_LABELLED = 0.08
"""A narrower part of a bar has no room for its number."""


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG."""
    figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight")


def comparison(table: ComparisonTable) -> Figure:
    """Draws AUC by system, a panel per output: mean, and a standard deviation to each side."""
    height = 1.3 + INCHES_PER_ROW * len(table.systems)
    figure, panels = _panels(1, len(table.outputs), width=3.6, height=height, share_y=True)
    names = [system.name for system in table.systems]
    for axes, output in zip(panels[0], table.outputs, strict=True):
        for row, system in enumerate(table.systems):
            found = system.outputs[output].metrics["auc"]
            if found is None:
                continue
            axes.errorbar(found.mean, row, xerr=found.sd or 0.0, fmt="o", color=ACCENT, markersize=5, capsize=3)
            axes.annotate(f"{found.mean:.4f}", (found.mean, row), (0, 6), textcoords="offset points", **_SMALL)
        best = table.reachable.get(output)
        axes.set_title(output + (f"\nbest reachable {best['auc']:.4f}" if best else ""), fontsize=9)
        axes.set_xlabel("AUC", fontsize=8)
        axes.margins(x=0.25)
        axes.set_ylim(len(names) - 0.5, -0.7)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    panels[0][0].set_yticks(range(len(names)), names, fontsize=8)
    seeds = "one seed" if table.seeds == 1 else f"{table.seeds} seeds, mean ± standard deviation"
    figure.suptitle(f"{table.name}: AUC on the evaluation ({seeds})", fontsize=10)
    return figure


def gates(table: ComparisonTable) -> Figure | None:
    """Draws the mean gate weights, a bar per system and task: by group of experts and by expert.

    Returns:
      None where no system has gates.
    """
    by_kind = {kind: list(_bars(table.systems, kind)) for kind in ("gate_groups", "gate")}
    shown = {kind: bars for kind, bars in by_kind.items() if bars}
    if not shown:
        return None
    rows = max(len(bars) for bars in shown.values())
    figure, panels = _panels(1, len(shown), width=6.0, height=1.3 + INCHES_PER_ROW * rows)
    for axes, (kind, bars) in zip(panels[0], shown.items(), strict=True):
        most = max(len(weights) for _, weights in bars)
        names = EXPERT_GROUPS if kind == "gate_groups" else [f"expert {number + 1}" for number in range(most)]
        _stack(axes, bars, names)
        axes.set_ylim(rows - 0.5, -0.5)  # bars of one width in both panels
        axes.set_title("by group of experts" if kind == "gate_groups" else "by expert", fontsize=9)
    figure.suptitle(f"{table.name}: mean gate weight, rows of the evaluation", fontsize=10)
    return figure


def temperatures(table: ComparisonTable) -> Figure | None:
    """Draws how PICO's temperature is distributed by the labels that are 1, a row per system, a column per pair.

    Returns:
      None where no system has temperatures.
    """
    systems = [system for system in table.systems if system.inside.temperatures]
    if not systems:
        return None
    pairs = list(dict.fromkeys(pair for system in systems for pair in system.inside.temperatures))
    figure, panels = _panels(len(systems), len(pairs), width=6.0, height=0.5 + 1.9 * len(systems))
    for row, system in enumerate(systems):
        for axes, pair in zip(panels[row], pairs, strict=True):
            found = system.inside.temperatures.get(pair)
            if found is None:
                axes.set_visible(False)
                continue
            _distributions(axes, found)
            axes.set_title(f"{system.name}: {pair.replace('/', ' with ')}", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("temperature", fontsize=8)
    figure.suptitle(f"{table.name}: temperature by the labels that are 1, rows of the evaluation", fontsize=10)
    return figure


_SMALL: dict[str, Any] = {"ha": "center", "fontsize": 7, "color": INK}


def _panels(
    rows: int, columns: int, width: float, height: float, share_y: bool = False
) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure(figsize=(width * columns + 1.5, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    for axes in grid.flat:
        axes.tick_params(labelsize=8, colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid.tolist()


def _bars(systems: Sequence[SystemResult], kind: str) -> Iterator[tuple[str, list[float]]]:
    """Yields a label and the weights for every gate of a kind."""
    for system in systems:
        for name, weights in system.inside.gates.items():
            this, _, task = name.partition("/")
            if this == kind:
                yield f"{system.name}: {task}", weights


def _stack(axes: Axes, bars: Sequence[tuple[str, Sequence[float]]], names: Sequence[str]) -> None:
    """Draws a bar of parts per gate."""
    colours = colormaps["Set2"].colors  # type: ignore[attr-defined]
    for part in range(max(len(weights) for _, weights in bars)):
        rows = [row for row, (_, weights) in enumerate(bars) if len(weights) > part]
        widths = [bars[row][1][part] for row in rows]
        lefts = [sum(bars[row][1][:part]) for row in rows]
        label = names[part] if part < len(names) else f"{part + 1}"
        axes.barh(rows, widths, left=lefts, color=colours[part % len(colours)], label=label, height=0.7)
        for row, left, width in zip(rows, lefts, widths, strict=True):
            if width >= SMALLEST_LABELLED:
                axes.text(left + width / 2, row, f"{width:.2f}", va="center", **_SMALL)
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=8)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=6, fontsize=8, frameon=False)


def _distributions(axes: Axes, found: Mapping[str, Distribution]) -> None:
    """Draws, by labels, the share of rows per bin."""
    colours = colormaps["Dark2"].colors  # type: ignore[attr-defined]
    for place, (labels, distribution) in enumerate(found.items()):
        edges = np.linspace(0.0, distribution.highest, len(distribution.counts) + 1)
        shares = np.array(distribution.counts) / distribution.rows
        text = f"{labels}: {distribution.rows:,} rows, mean {distribution.mean:.3f}"
        axes.stairs(shares, edges, color=colours[place % len(colours)], label=text, linewidth=1.6)
    axes.set_ylabel("share of rows", fontsize=8)
    # Below, as curves may be anywhere in the panel.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=7, frameon=False)
