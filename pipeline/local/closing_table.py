"""The closing table of a run: how good, accepted or not and why, where things lie, what to type next."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from tandem.pipeline.local.console import short, standard_output
from tandem.pipeline.local.progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from tandem.models.recipes import Recipe
    from tandem.models.variants import Variant
    from tandem.pipeline.local.run_result import RunResult
    from tandem.pipeline.sample_logs import SampleTruth

_COLUMNS = (
    ("auc", "AUC", ".4f"),
    ("gauc", "GAUC", ".4f"),
    ("log_loss", "log loss", ".4f"),
    ("calibration", "calib.", ".3f"),
)
_COMPARED = ("auc", "gauc")
_NARROW = 95  # columns of the terminal; the counts of rows and positives do not fit any more
_MOST_REASONS = 12


def show(result: RunResult, console: Console | None = None) -> None:
    """Prints the closing table.

    Args:
      result: Of the run.
      console: None: standard output.
    """
    console = console or standard_output()
    console.print()
    console.print(metrics_table(result, with_counts=console.width >= _NARROW))
    for line in lines(result):
        console.print(line, soft_wrap=True, highlight=False)


def metrics_table(result: RunResult, with_counts: bool = True) -> Table:
    """A row per output of the model; the last blessed model's AUC and GAUC beside, when there is one."""
    table = Table(title=f"{result.name}: evaluation", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("output", no_wrap=True)
    for title in ("rows", "positives") if with_counts else ():
        table.add_column(title, justify="right", no_wrap=True)
    measured = {each.metric for each in result.metrics if each.model == "candidate"}
    shown = [column for column in _COLUMNS if column[0] in measured]
    for name, title, _ in shown:
        table.add_column(title, justify="right", no_wrap=True)
        if result.verdict.baseline and name in _COMPARED:
            table.add_column("blessed", justify="right", no_wrap=True, style="dim")
    for output in result.outputs:
        cells = [output]
        if with_counts:
            cells += [_number(result.metric(output, name), ",.0f") for name in ("example_count", "positive_count")]
        for name, _, form in shown:
            cells.append(_number(result.metric(output, name), form))
            if result.verdict.baseline and name in _COMPARED:
                cells.append(_number(result.metric(output, name, "baseline"), form))
        table.add_row(*cells)
    return table


def lines(result: RunResult) -> Iterator[str]:
    """Yields the lines below the table, with rich's markup."""
    yield f"[bold]verdict[/]     {_verdict(result)}"
    for finding in result.verdict.reasons[:_MOST_REASONS]:
        yield f"            [red]-[/] {escape(finding.text)}"
    if len(result.verdict.reasons) > _MOST_REASONS:
        yield f"            - and {len(result.verdict.reasons) - _MOST_REASONS} more, in verdict.json"
    for text in result.verdict.thin:
        yield f"            [yellow]-[/] on thin evidence: {escape(text)}"
    for findings, words in (
        (result.verdict.undefined, "have no value there"),
        (result.verdict.too_small, "have too few rows"),
    ):
        if findings:
            yield f"            [dim]{len(findings)} checks of slices did not count: they {words}[/]"
    for number, line in enumerate(result.counts):
        yield f"{'[bold]logs[/]' if number == 0 else '    '}        {escape(line)}"
    for number, line in enumerate(result.data_checks):
        yield f"{'[bold]data[/]' if number == 0 else '    '}        {escape(line)}"
    cached = sum(component.status == "cached" for component in result.components)
    reused = f"{len(result.components)}, of them {cached} reused from earlier runs"
    yield f"[bold]components[/]  {reused}; {duration(result.seconds)} in all"
    where = escape(short(result.pushed or result.model))
    yield f"[bold]model[/]       {where}{'' if result.pushed else ' (not pushed)'}"
    yield f"[bold]evaluation[/]  {escape(short(result.evaluation))}"
    yield f"[bold]report[/]      {escape(short(result.report))}"
    yield f"[bold]log[/]         {escape(short(result.log_file))}"
    yield "[bold]next[/]"
    for command, why in _next_commands(result):
        yield f"  {escape(command)}  [dim]# {why}[/]"


def show_sample(folder: Path, truth: SampleTruth, console: Console | None = None) -> None:
    """Prints what is in sample logs, and the best AUC and GAUC that a model can be expected to reach on them.

    Args:
      folder: Where they lie.
      truth: What was written.
      console: None: standard output.
    """
    console = console or standard_output()
    did = "are already in" if truth.reused else "written to"
    console.print(
        f"{truth.impressions:,} impressions of {truth.users:,} users and {truth.items:,} items {did} {folder}",
        soft_wrap=True,
    )
    table = Table(title="best that can be reached", title_justify="left", box=SIMPLE_HEAD)
    for title in ("output", "AUC", "GAUC"):
        table.add_column(title, justify="left" if title == "output" else "right")
    for output, best in truth.eval_best.items():
        table.add_row(output, _number(best.auc, ".4f"), _number(best.gauc, ".4f"))
    console.print(table)


def show_systems(
    recipes: Mapping[str, Recipe],
    variants: Mapping[str, Mapping[str, Variant]],
    comparisons: Mapping[str, str],
    console: Console | None = None,
) -> None:
    """Prints what can be trained.

    Args:
      recipes: By name.
      variants: By recipe, its ablations.
      comparisons: By name, what is no recipe.
      console: None: standard output.
    """
    console = console or standard_output()
    _list({name: recipe.summary for name, recipe in sorted(recipes.items())}, console)
    together: dict[int, list[str]] = {}  # the recipes that share their ablations
    for name, of_recipe in variants.items():
        together.setdefault(id(of_recipe), []).append(name)
    for names in together.values():
        console.print(
            f"\nablations of {', '.join(names)}, for `tandem bench --systems NAME/ABLATION`:\n", highlight=False
        )
        _list({name: variant.summary for name, variant in variants[names[0]].items()}, console)
    console.print("\nfor `tandem bench` only:\n", highlight=False)
    _list(comparisons, console)


def _list(summaries: Mapping[str, str], console: Console) -> None:
    """Prints names and what they are, a line each, however long."""
    width = max(map(len, summaries))
    for name, text in summaries.items():
        console.print(f"[bold]{name:{width}}[/]   {escape(text)}", soft_wrap=True, highlight=False)


def _verdict(result: RunResult) -> str:
    if result.verdict.baseline:
        compared = "the last blessed model was compared with"
    elif result.verdict.not_compared:
        compared = "only absolute ones were checked: there was no earlier model to compare with"
    else:
        compared = "there was no earlier model to compare with"
    if not result.verdict.blessed:
        return f"[red]refused[/]: not pushed, what was pushed before stays ({compared})"
    return f"[green]blessed[/]: every threshold is kept ({compared})"


def _next_commands(result: RunResult) -> Iterator[tuple[str, str]]:
    model = short(result.pushed or result.model)
    tools = _tools()
    yield (
        f"{tools}saved_model_cli show --dir {model} --tag_set serve --signature_def serving_default",
        "what the model takes and answers",
    )
    folders = f"--data {short(result.data)} --output {short(result.output)}"
    again = f"{tools}tandem run {short(result.config_file)} {folders} --set training.learning_rate=0.002"
    yield again, "train again; the data stages are reused"
    yield (
        f"{tools}tandem report --output {short(result.output)}",
        "the report in a browser; the file opens from disk, too",
    )
    yield f"{tools}tandem models", "other recipes for `model: {recipe: ...}`"


def _tools() -> str:
    """The folder of our commands, as it has to be typed: nothing where the shell finds them."""
    folder = Path(sys.executable).parent
    found = shutil.which("tandem")
    return "" if found and Path(found).parent == folder else f"{short(folder)}/"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)
