from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from tandem.components.evaluator import results
from tandem.components.evaluator.results import Finding, MetricValue, Verdict

if TYPE_CHECKING:
    import pathlib


def test_metrics_are_read_as_written(tmp_path: pathlib.Path) -> None:
    metrics = [
        MetricValue("candidate", (), "click", "auc", 0.1 + 0.2),
        MetricValue("candidate", (("city", 12), ("device", "Zürich")), "click", "auc", 0.5),
        MetricValue("baseline", (), "click", "auc", 0.25),
    ]
    results.write_metrics(str(tmp_path), reversed(metrics))
    assert results.read_metrics(str(tmp_path)) == metrics


def test_a_missing_value_is_null(tmp_path: pathlib.Path) -> None:
    results.write_metrics(str(tmp_path), [MetricValue("candidate", (), "click", "auc", math.nan)])
    assert json.loads((tmp_path / "metrics.json").read_text()) == [
        {"model": "candidate", "slice": {}, "output": "click", "metric": "auc", "value": None}
        | {"low": None, "high": None}
    ]
    assert math.isnan(results.read_metrics(str(tmp_path))[0].value)


def test_a_verdict_is_read_as_written(tmp_path: pathlib.Path) -> None:
    finding = Finding((("city", 12),), "click", "auc", 0.5, 0.7, "absolute", None, "too low")
    unknown = Finding((), "click", "auc", None, 0.1, "change", 0.6, "nothing")
    verdict = Verdict(False, True, reasons=(finding, unknown), undefined=(unknown,))
    results.write_verdict(str(tmp_path), verdict)
    assert results.read_verdict(str(tmp_path)) == verdict
    written = json.loads((tmp_path / "verdict.json").read_text())
    assert written["blessed"] is False
    assert written["reasons"][0] == {
        "slice": {"city": 12},
        "output": "click",
        "metric": "auc",
        "value": 0.5,
        "bound": 0.7,
        "kind": "absolute",
        "baseline_value": None,
        "text": "too low",
        "low": None,
        "high": None,
    }
