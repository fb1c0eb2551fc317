import dataclasses
import io
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from tandem.components.evaluator.results import Finding, MetricValue, Verdict
from tandem.pipeline.local import closing_table
from tandem.pipeline.local.run_result import ComponentRun, RunResult
from tandem.pipeline.sample_logs import write_sample_logs

REASON = Finding((), "click", "auc", 0.51, 0.6, "absolute", None, "auc of click is 0.5100, below its bound 0.6")


def metrics(model, auc):
    values = {
        "auc": auc,
        "gauc": auc - 0.05,
        "log_loss": 0.15,
        "calibration": 1.02,
        "example_count": 8293,
        "positive_count": 401,
    }
    return [MetricValue(model, (), "click", name, value) for name, value in values.items()] + [
        MetricValue(model, (("device", "tv"),), "click", "auc", 0.9)
    ]


@pytest.fixture
def result():
    return RunResult(
        name="shop",
        config_file=Path("shop.yaml"),
        data="/data",
        output=Path("/out"),
        components=(ComponentRun("Read", "cached", 0.1), ComponentRun("Train", "done", 60.0)),
        seconds=61.0,
        outputs=("click", "sale_given_click"),
        metrics=(*metrics("candidate", 0.7123), MetricValue("candidate", (), "sale_given_click", "auc", math.nan)),
        verdict=Verdict(blessed=True, baseline=False),
        counts=("impressions 10 rows = 9 examples + 1 duplicates", "clicks       1 rows = 1 attached"),
        model="/models/1/Format-Serving",
        pushed="/served/shop/1",
        evaluation="/evaluation/1",
        report=Path("/out/report.html"),
        log_file=Path("/logs/run.log"),
    )


def shown(result, width=140):
    console = Console(file=io.StringIO(), width=width)
    closing_table.show(result, console)
    return console.file.getvalue()


def row(text, output):
    (found,) = [line.split() for line in text.splitlines() if line.split()[:1] == [output]]
    return found[1:]


def test_the_table(result):
    text = shown(result)
    assert row(text, "output") == ["rows", "positives", "AUC", "GAUC", "log", "loss", "calib."]
    assert row(text, "click") == ["8,293", "401", "0.7123", "0.6623", "0.1500", "1.020"]
    assert row(text, "sale_given_click") == ["-"] * 6


def test_a_narrow_terminal_gets_the_metrics_whole(result):
    compared = dataclasses.replace(
        result, metrics=(*result.metrics, *metrics("baseline", 0.8)), verdict=Verdict(blessed=True, baseline=True)
    )
    assert row(shown(compared, 80), "click") == ["0.7123", "0.8000", "0.6623", "0.7500", "0.1500", "1.020"]


def test_a_blessed_model(result):
    text = shown(result)
    assert "blessed: every threshold is kept (there was no earlier model to compare with)" in text
    assert "model       /served/shop/1\n" in text
    assert "report      /out/report.html\n" in text
    assert "tandem report --output /out" in text
    assert (
        "logs        impressions 10 rows = 9 examples + 1 duplicates\n            clicks       1 rows = 1 attached\n"
        in text
    )
    assert "2, of them 1 reused from earlier runs; 1 min 01 s in all" in text
    assert "saved_model_cli show --dir /served/shop/1" in text
    assert "tandem run shop.yaml --data /data --output /out --set" in text


def test_thresholds_that_had_nothing_to_compare_with_are_told(result):
    verdict = Verdict(blessed=True, baseline=False, not_compared=(REASON,))
    assert (
        "blessed: every threshold is kept (only absolute ones were checked: there was no earlier model to compare with)"
        in shown(dataclasses.replace(result, verdict=verdict))
    )


def test_the_last_blessed_model_stands_beside(result):
    compared = dataclasses.replace(
        result, metrics=(*result.metrics, *metrics("baseline", 0.8)), verdict=Verdict(blessed=True, baseline=True)
    )
    assert row(shown(compared), "click")[2:6] == ["0.7123", "0.8000", "0.6623", "0.7500"]


def test_a_refused_model_and_its_reasons(result):
    refused = dataclasses.replace(result, verdict=Verdict(blessed=False, baseline=True, reasons=(REASON,)), pushed=None)
    text = shown(refused)
    assert "refused: not pushed, what was pushed before stays (the last blessed model was compared with)" in text
    assert "- auc of click is 0.5100, below its bound 0.6" in text
    assert "model       /models/1/Format-Serving (not pushed)" in text


def test_many_reasons_are_cut_and_slices_that_did_not_count_are_told(result):
    verdict = Verdict(
        blessed=False, baseline=False, reasons=(REASON,) * 20, undefined=(REASON,) * 3, too_small=(REASON,)
    )
    text = shown(dataclasses.replace(result, verdict=verdict, pushed=None))
    assert text.count(REASON.text) == 12
    assert "and 8 more, in verdict.json" in text
    assert "3 checks of slices did not count: they have no value there" in text
    assert "1 checks of slices did not count: they have too few rows" in text


def test_what_skew_and_drift_came_to(result):
    checked = dataclasses.replace(result, data_checks=("skew: 2 features compared", "drift: nothing was compared"))
    assert "\ndata        skew: 2 features compared\n            drift: nothing was compared\n" in shown(checked)
    assert "\ndata  " not in shown(result)


def test_names_with_brackets_are_no_markup(result):
    odd = dataclasses.replace(result, pushed="/served/[bold]/1", counts=("[red] 3 rows",))
    assert "/served/[bold]/1" in shown(odd)
    assert "[red] 3 rows" in shown(odd)


def test_metric_is_over_all_rows(result):
    assert result.metric("click", "auc") == 0.7123
    assert result.metric("click", "auc", "baseline") is None


def test_what_is_in_sample_logs(tmp_path):
    truth = write_sample_logs(tmp_path / "logs", 2_000)
    console = Console(file=io.StringIO(), width=140)
    closing_table.show_sample(tmp_path / "logs", truth, console)
    text = console.file.getvalue()
    assert f"2,000 impressions of {truth.users:,} users and {truth.items:,} items written to {tmp_path}/logs" in text
    best = truth.eval_best["click"]
    assert row(text, "click") == [f"{best.auc:.4f}", f"{best.gauc:.4f}"]


def test_what_can_be_trained():
    recipes = {"mmoe": SimpleNamespace(summary="Mixture of experts"), "esmm": SimpleNamespace(summary="Entire space")}
    shared = {"no_gate": SimpleNamespace(summary="without gates")}
    console = Console(file=io.StringIO(), width=140)
    closing_table.show_systems(recipes, {"mmoe": shared, "mmoe_pico": shared}, {"trees": "No network"}, console)
    assert console.file.getvalue().splitlines() == [
        "esmm   Entire space",
        "mmoe   Mixture of experts",
        "",
        "ablations of mmoe, mmoe_pico, for `tandem bench --systems NAME/ABLATION`:",
        "",
        "no_gate   without gates",
        "",
        "for `tandem bench` only:",
        "",
        "trees   No network",
    ]


def test_without_users_there_is_no_gauc(result):
    assert "GAUC" in shown(result)
    without = tuple(each for each in result.metrics if each.metric != "gauc")
    text = shown(dataclasses.replace(result, metrics=without))
    assert "GAUC" not in text
    assert "0.7123" in text


def test_thin_evidence_is_told(result):
    verdict = dataclasses.replace(result.verdict, thin=("click has 3 positive rows in the evaluation",))
    assert "- on thin evidence: click has 3 positive rows in the evaluation" in shown(
        dataclasses.replace(result, verdict=verdict)
    )
