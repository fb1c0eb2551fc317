"""Builds the page: facts in, one self-contained HTML text out.

Templates, style sheet and script are files of this folder; plotly's JavaScript comes from the installed package. All of
them are put into the page, so it opens from disk, offline. Whatever comes from logs is escaped, and the page's content
security policy lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import plotly.offline
from markupsafe import Markup

from tandem.components.evaluator.evidence import output_text
from tandem.components.log_example_gen.counts import ATTACHED, EXAMPLES, KEPT
from tandem.components.log_example_gen.records import reason
from tandem.components.metrics.slice_key import slice_text
from tandem.components.run_report import charts, comparison, wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tandem.components.run_report.facts import Facts, FeatureStatistics, SourceAccount

FOLDER = Path(__file__).resolve().parent
TEMPLATES, STATIC = FOLDER / "templates", FOLDER / "static"


def build(facts: Facts) -> str:
    """Returns the page of a run."""
    style = _static("report.css")
    scripts = [Markup(plotly.offline.get_plotlyjs()), _static("report.js")]
    environment = _environment()
    context = {**_context(facts), "style": style, "scripts": scripts, "policy": _policy(scripts)}
    return environment.get_template("report.html").render(context)


def source_files() -> list[Path]:
    """Returns the files besides the code that a page is made of."""
    return sorted(path for folder in (TEMPLATES, STATIC) for path in folder.iterdir())


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=wording, slice_text=slice_text, output_text=output_text, NONE=wording.NONE)
    return environment


def _static(name: str) -> Markup:
    return Markup((STATIC / name).read_text(encoding="utf-8"))


def _policy(scripts: Iterable[str]) -> str:
    """Allows these scripts by their digests, styles and pictures of the page itself, and nothing else."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )


def _context(facts: Facts) -> dict[str, Any]:
    """Returns what the templates need."""
    metrics = comparison.Metrics(facts.metrics)
    names = [output.name for output in facts.outputs]
    of_outputs = {name: comparison.of_output(metrics, name) for name in names}
    by_output = {name: charts.of_output(name, facts.curves or ()) for name in names}
    forest = charts.differences(of_outputs)
    training = charts.training(facts.history)
    shifted = [chart for kind in ("skew", "drift") if (chart := charts.shifts(kind, facts.shifts or ()))]
    unknown = charts.unknown(facts.unknown)
    drawn = [*([forest] if forest else []), *(chart for each in by_output.values() for chart in each)]
    drawn += [*training, *shifted, *([unknown] if unknown else [])]
    slices = comparison.slices(metrics, names, facts.verdict, facts.min_examples)
    return {
        "facts": facts,
        "headline": wording.headline(facts),
        "compared_with": wording.compared(facts),
        "unchecked": wording.unchecked(facts.verdict),
        "metrics": metrics,
        "counted": {name: comparison.counted(metrics, name) for name in names},
        "of_outputs": of_outputs,
        "has_baseline": any(each.baseline for found in of_outputs.values() for each in found),
        "forest": forest,
        "output_charts": by_output,
        "slices": slices,
        "lost": [each for each in slices if any(one.change == "worse" for one in each.metrics)],
        "judged": sum(one.change in ("better", "worse", "unclear") for each in slices for one in each.metrics),
        "training": training,
        "shift_charts": shifted,
        "unknown_chart": unknown,
        "has_intervals": metrics.has_intervals,
        "no_intervals": comparison.no_intervals(metrics, names, facts.group_by is not None),
        "accounts": [_account(source, [split.name for split in facts.splits]) for source in facts.sources or ()],
        "meanings": _meanings(facts.sources or ()),
        "statistics": _by_feature(facts.statistics),
        "splits": [split.name for split in facts.splits],
        "unknown_rates": {(each.feature, each.split): each for each in facts.unknown},
        "figures": {chart.id: chart.figure for chart in drawn},
    }


def _account(source: SourceAccount, splits: Sequence[str]) -> dict[str, Any]:
    """Splits the outcomes of a source's rows into those used, in the order of the splits, and those set aside."""
    order = [ATTACHED, KEPT, *(f"{EXAMPLES}.{split}" for split in splits)]
    used = {name: source.outcomes[name] for name in order if name in source.outcomes}
    aside = {name: number for name, number in source.outcomes.items() if number and name not in used}
    return {
        "source": source,
        "used": sum(used.values()),
        "aside": sum(aside.values()),
        "parts": [(name.removeprefix(f"{EXAMPLES}."), number) for name, number in used.items()],
        "reasons": sorted(aside.items(), key=lambda item: (-item[1], item[0])),
    }


def _meanings(sources: Iterable[SourceAccount]) -> dict[str, str]:
    """Returns the reasons for which rows were set aside, with what they mean."""
    used = (ATTACHED, KEPT)
    names = {
        name
        for source in sources
        for name, number in source.outcomes.items()
        if number and name not in used and not name.startswith(f"{EXAMPLES}.")
    }
    return {name: reason(name).meaning for name in sorted(names)}


def _by_feature(statistics: Iterable[FeatureStatistics]) -> dict[str, dict[str, FeatureStatistics]]:
    """Orders statistics by column, then split."""
    found: dict[str, dict[str, FeatureStatistics]] = {}
    for each in statistics:
        found.setdefault(each.name, {})[each.split] = each
    return dict(sorted(found.items()))
