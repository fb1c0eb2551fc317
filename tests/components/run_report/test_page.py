import dataclasses
import json
import re

import plotly.offline
import pytest
import tomli

from tandem.components.evaluator.results import MetricValue
from tandem.components.run_report import page


@pytest.fixture(scope="module")
def text(full):
    return page.build(full)


@pytest.fixture(scope="module")
def visible(text):
    """The page without its scripts and style, as a reader gets it."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)


def test_it_is_one_file(text, visible):
    """No element names a file or an address that a browser would fetch."""
    assert re.findall(r"<link\b[^>]*>", visible) == ['<link rel="icon" href="data:,">']
    assert not re.findall(r"<(?:img|iframe|object|embed|video|audio|source|script)\b", visible)
    assert not re.findall(r'(?:href|src)="(?!#|data:,")', visible)
    assert "url(" not in re.findall(r"<style>.*?</style>", text, flags=re.DOTALL)[0]
    assert text.count(plotly.offline.get_plotlyjs()) == 1


def test_what_stands_in_logs_is_text(text, visible, evil):
    assert evil not in text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&lt;img src=" in visible
    # In the figures it is JSON, in which no tag can end the element.
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', text, flags=re.DOTALL)
    assert "<" not in figures
    assert json.loads(figures)


def test_scripts_are_allowed_by_digests_alone(text):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    allowed = policy.replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert re.findall(r"script-src ([^;]*);", allowed)[0].count("'sha256-") == text.count("<script>") == 2
    # The digests are those of the text as a parser sees it: it would change line ends, and end at a closing tag.
    for script in (plotly.offline.get_plotlyjs(), (page.STATIC / "report.js").read_text()):
        assert not re.search(r"\r|\0|</script|<!--", script, flags=re.IGNORECASE)


def test_the_verdict_and_its_reasons(visible):
    (headline,) = re.findall(r"<h1>(.*?)</h1>", visible)
    assert headline == "Do not ship: 1 of 10 bounds is not kept; what was pushed before stays in place."
    assert "<li>auc of click in device=desktop is 0.6960, worse than the blessed model&#39;s 0.7200" in visible
    assert "Compared with the last blessed model, version 1795388392" in visible


def test_what_a_decision_needs_is_there(visible):
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", visible)).replace("&nbsp;", " ").replace("\xa0", " ")
    for words in (
        "0.7181 0.7101 to 0.7261",  # a value and its interval
        "+0.0061 +0.0021 to +0.0101 ▲ better",
        "−0.0071 −0.0111 to −0.0031 ▼ worse",
        "+0.0020 −0.0020 to +0.0060 no clear difference",
        "1 of 51 has lost clearly",
        "1,404 impressions were too young to be judged by conversion : it may still come after",
        "They are left out where it counts.",
        "aside: outside_split 26,519, duplicate 2,000, bad_time 6",
        "1 feature is further away than allowed: device (skew).",
        "a sample of 146,036",
        "commit 276088c1f0 (with changes)",
        "Normalised entropy",
        "Expected calibration error",
        "GAUC by positives",
    ):
        assert words in plain, words


def test_a_figure_for_every_place(text, full):
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', text, flags=re.DOTALL)
    places = re.findall(r'data-figure="([^"]+)"', text)
    assert sorted(json.loads(figures)) == sorted(places)
    of_outputs = {
        f"{kind}-{output.name}" for output in full.outputs for kind in ("reliability", "roc", "scores", "activity")
    }
    assert of_outputs | {"differences", "training-0", "shift-skew", "shift-drift", "unknown-values"} <= set(places)


def test_a_run_that_left_little_is_told_as_such(bare):
    text = page.build(bare)
    for words in (
        "Ship it: the model keeps every bound, and is pushed as version 1795.",
        "There was no blessed model to compare with (no other model is pushed in /models/shop)",
        "The evaluation left no curves of this output",
        "The configuration asks for no slices",
        "The trainer left no history.",
        "The ingestion left no counts.",
        "Neither drift nor skew was measured in this run.",
        "is not recorded for this run",
        "No feature has a vocabulary.",
    ):
        assert words in text, words


def test_package_data_has_every_file_of_the_page():
    root = page.FOLDER.parents[1]
    settings = tomli.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    globs = settings["tandem.components.run_report"]
    listed = {path for pattern in globs for path in page.FOLDER.glob(pattern)}
    assert listed == set(page.source_files())


def test_what_was_not_measured_and_what_is_judged_too_early_is_said(full):
    unmeasured = dataclasses.replace(full.shifts[0], distance=None, exceeded=False, note="nothing earlier")
    text = page.build(dataclasses.replace(full, shifts=(unmeasured,), final_labels_only=False))
    assert "1 comparison was not made (nothing earlier)." in text
    assert "not measured" in text
    assert "They are judged all the same" in text
    none = page.build(dataclasses.replace(full, shifts=(), not_final={}))
    assert "No feature has a threshold for drift or skew" in none
    assert "No impression was too young to be judged" in none


def test_without_users_the_page_says_so_and_has_no_gauc(full):
    metrics = tuple(each for each in full.metrics if not each.metric.startswith("gauc"))
    curves = tuple(dataclasses.replace(each, by_activity=()) for each in full.curves)
    found = page.build(dataclasses.replace(full, group_by=None, metrics=metrics, curves=curves))
    found = re.sub(r"<(script|style)\b.*?</\1>", "", found, flags=re.DOTALL)
    assert "group_by: null" in found
    assert "There is no GAUC" in found
    assert found.count("GAUC") == 1


def test_anonymous_rows_are_counted_where_there_are_some(full):
    assert "name no user" not in page.build(full)
    anonymous = MetricValue("candidate", (), "click", "gauc_rows_without_user", 1234.0)
    assert "1,234 rows that name no user, left out of GAUC." in page.build(
        dataclasses.replace(full, metrics=(*full.metrics, anonymous))
    )


def plain(facts):
    """The text of a page."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page.build(facts), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text).replace("&#39;", "'"))


def over_all_rows(counts, output="click"):
    values = [MetricValue("candidate", (), output, name, value) for name, value in counts.items()]
    return (*values, MetricValue("candidate", (), output, "auc", 0.7))


@pytest.mark.parametrize(
    ("rows", "positives", "reason"),
    [
        (9, 4, "since there are fewer than 10 rows:"),
        (90, 0, "since no row is positive:"),
        (90, 1, "since one row alone is positive:"),
        (90, 4, "since the rows, or the positive ones, are those of too few users:"),
    ],
)
def test_why_there_are_no_intervals(bare, rows, positives, reason):
    metrics = over_all_rows({"example_count": rows, "positive_count": positives})
    text = plain(dataclasses.replace(bare, outputs=bare.outputs[:1], metrics=metrics))
    assert f"This evaluation has no intervals, {reason} whether a difference is more than chance" in text
    assert ("No row is positive: there is no AUC" in text) is (positives == 0)


def test_why_there_are_no_intervals_may_be_unknown(bare):
    assert "This evaluation has no intervals: whether" in plain(bare)


def test_one_unknown_interval_among_others_is_said(full):
    known = [
        each for each in full.metrics if (each.model, each.output, each.metric) != ("candidate", "click", "calibration")
    ]
    unknown = MetricValue("candidate", (), "click", "calibration", 0.4)
    assert "0.400 interval unknown" in plain(dataclasses.replace(full, metrics=(*known, unknown)))


def test_an_output_that_is_called_by_a_number_reads_well(full):
    output = dataclasses.replace(full.outputs[0], name="4", task="4", label="4")
    text = plain(dataclasses.replace(full, outputs=(output,)))
    assert "'4' The probability that the label 4 is 1, judged on all rows" in text


def test_further_thin_evidence_stands_below_the_headline(full, bare):
    thin = ("click has 3 positive rows", "sale has no positive rows")
    assert "Thin evidence as well: sale has no positive rows." in plain(
        dataclasses.replace(bare, verdict=dataclasses.replace(bare.verdict, thin=thin))
    )
    assert "The evidence is thin: click has 3 positive rows; sale has no positive rows." in plain(
        dataclasses.replace(full, verdict=dataclasses.replace(full.verdict, thin=thin))
    )
