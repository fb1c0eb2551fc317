"""A run with everything in it, made by hand: a candidate that ranks better overall and lost one slice."""

import dataclasses
import datetime
import math
from pathlib import Path

import pytest

from tandem.components.evaluator.results import ActivityBin, Curves, Finding, MetricValue, ReliabilityBin, Verdict
from tandem.components.run_report import page
from tandem.components.run_report.facts import (
    ArtifactRecord,
    Facts,
    FeatureStatistics,
    Lineage,
    PushFacts,
    Shift,
    SourceAccount,
    SplitFacts,
    UnknownValues,
    VocabularySize,
)
from tandem.models.tasks import Task, TaskGraph

OUTPUTS = TaskGraph([Task(name="click"), Task(name="conversion", given="click")]).outputs()

# What stands in logs may be anything.
EVIL = '<script>alert("x")</script><img src="http://example.com/x.png" onerror="alert(1)">'

_RATES = {"click": 0.045, "conversion_given_click": 0.1, "click_and_conversion": 0.0045}
_ROWS = {"click": 27459, "conversion_given_click": 1217, "click_and_conversion": 27459}
_UTC = datetime.timezone.utc


def metric(model, output, name, value, width=None, key=()):
    if width is None:
        return MetricValue(model, key, output, name, value)
    return MetricValue(model, key, output, name, value, value - width, value + width)


def _over_all_rows(output, gain):
    """The candidate is better by `gain` in ranking, and in log loss by a tenth of it."""
    width = 0.008 if _ROWS[output] > 10_000 else 0.03
    values = {"auc": 0.712, "gauc": 0.694, "gauc_by_impressions": 0.699, "gauc_by_positives": 0.703}
    for name, value in values.items():
        yield metric("candidate", output, name, value + gain, width)
        yield metric("baseline", output, name, value, width)
        yield metric("difference", output, name, gain, 0.004)
    lower = {"log_loss": 0.1674, "normalized_entropy": 0.912, "expected_calibration_error": 0.0041}
    for name, value in lower.items():
        yield metric("candidate", output, name, value - gain / 10, 0.002)
        yield metric("baseline", output, name, value, 0.002)
        yield metric("difference", output, name, -gain / 10, 0.0004)
    yield metric("candidate", output, "calibration", 0.983, 0.05)
    yield metric("baseline", output, "calibration", 1.12, 0.06)
    yield metric("difference", output, "calibration", -0.137, 0.03)
    for model in ("candidate", "baseline"):
        yield metric(model, output, "example_count", float(_ROWS[output]))
        yield metric(model, output, "positive_count", round(_ROWS[output] * _RATES[output], 0))
        yield metric(model, output, "gauc_users", 612.0)
        yield metric(model, output, "gauc_users_left_out", 3021.0)


def _in_slice(output, key, rows, auc, gain, width):
    for name, value in (("auc", auc), ("gauc", auc - 0.02)):
        yield metric("candidate", output, name, value + gain, width, key)
        yield metric("baseline", output, name, value, width, key)
        yield metric("difference", output, name, gain, width / 2, key)
    for model in ("candidate", "baseline"):
        yield metric(model, output, "calibration", 1.01, 0.1, key)
        yield metric(model, output, "example_count", float(rows), None, key)
        yield metric(model, output, "positive_count", float(max(rows // 20, 1)), None, key)


def _metrics():
    for output, gain in zip(_ROWS, (0.0061, 0.002, -0.0071), strict=True):
        yield from _over_all_rows(output, gain)
    for output in _ROWS:
        for index, device in enumerate(("mobile_app", "mobile_web", "desktop", EVIL)):
            gain = -0.024 if (output, device) == ("click", "desktop") else 0.002 * index - 0.001
            yield from _in_slice(output, (("device", device),), 9000 // (index + 1), 0.70 + index / 100, gain, 0.02)
        for index in range(12):
            rows = 5200 // (index + 1)
            key = (("device", "mobile_app"), ("segment", f"s{index:02}"))
            yield from _in_slice(output, key, rows, 0.68 + index / 200, 0.003 * math.sin(index), 0.05)
        yield metric("candidate", output, "auc", math.nan, None, (("device", "tv"),))
        yield metric("candidate", output, "gauc", math.nan, None, (("device", "tv"),))
        yield metric("candidate", output, "example_count", 17.0, None, (("device", "tv"),))
        yield metric("candidate", output, "positive_count", 0.0, None, (("device", "tv"),))


def _curves(model, output):
    rate = _RATES[output]
    better = 1.15 if model == "candidate" else 1.0
    promised = 0.98 if model == "candidate" else 1.12
    edges = tuple(rate * 4 * index / 40 for index in range(41))
    positives = tuple(round(400 * math.exp(-((index - 18 * better) ** 2) / 90)) for index in range(40))
    negatives = tuple(round(4000 * math.exp(-((index - 8) ** 2) / 50)) for index in range(40))
    rates = tuple(index / 60 for index in range(61))
    bins = []
    for index in range(10):
        observed = rate * (0.2 + 0.28 * index)
        bins.append(ReliabilityBin(2745, observed * promised, observed, observed * 0.85, observed * 1.17))
    activity = []
    for (least, most), users, gauc in zip(
        ((2, 3), (4, 7), (8, 15), (16, 31), (32, None)),
        (220, 190, 120, 60, 22),
        (0.63, 0.66, 0.69, 0.71, 0.72),
        strict=True,
    ):
        value = gauc + (0.006 if model == "candidate" else 0)
        activity.append(ActivityBin(least, most, users, value, value - 1 / users**0.5 / 4, value + 1 / users**0.5 / 4))
    return Curves(
        model,
        output,
        edges,
        positives,
        negatives,
        rates,
        tuple(each ** (0.42 / better) for each in rates),
        tuple(bins),
        tuple(activity),
    )


def _statistics():
    for split, rows in (("train", 146036), ("eval", 27459)):
        for name, distinct in (("user_id", 4353), ("item_id", 871), ("device", 4), ("city", 210), ("tags", 112)):
            top = tuple((EVIL if name == "device" and not n else f"{name}_{n}", rows // (n + 3)) for n in range(5))
            missing = rows // 16 if name == "tags" else 0
            yield FeatureStatistics(split, name, "category", rows, missing, distinct=distinct, top=top)
        for name, mean in (("price", 79.66), ("rating", 4.21), ("member_days", 412.0)):
            yield FeatureStatistics(
                split, name, "number", rows, rows // 60, mean=mean, deviation=mean / 3, low=0.0, high=mean * 40
            )


def _verdict():
    def finding(output, name, value, text, key=(), bound=0.65, kind="absolute"):
        return Finding(key, output, name, value, bound, kind, None, text, value - 0.01 if value else None, None)

    lost = (("device", "desktop"),)
    text = "auc of click in device=desktop is 0.6960, worse than the blessed model's 0.7200 by 0.0240; allowed is 0.01"
    tiny = (("device", EVIL),)
    return Verdict(
        blessed=False,
        baseline=True,
        reasons=(finding("click", "auc", 0.696, text, lost, 0.01, "change"),),
        undefined=(finding("click", "auc", None, "auc of click in device=tv is undefined", (("device", "tv"),)),),
        too_small=(finding("click", "auc", 0.73, f"auc of click in device={EVIL} is over 2250 rows", tiny),),
        not_compared=(),
        kept=tuple(
            finding(output, name, value, f"{name} of {output} is {value:.4f}, as asked")
            for output in _ROWS
            for name, value in (("auc", 0.718), ("gauc", 0.70), ("calibration", 0.983))
        ),
    )


def _history():
    for epoch in range(1, 9):
        yield {
            "epoch": epoch,
            "click": 0.17 + 0.04 * math.exp(-epoch / 2),
            "conversion": 0.28 + 0.09 * math.exp(-epoch / 3),
            "pico_contrast/click/conversion": 4.4 + 1.6 * math.exp(-epoch / 2),
            "embedding_l2": 0.016 + 0.004 * epoch,
            "validation/auc/click": 0.72 - 0.06 * math.exp(-epoch / 2),
        }


def _shifts():
    for index, name in enumerate(("device", "city", "segment", "item_id", "hour", "price")):
        yield Shift(name, "skew", 0.05 / (index + 1), "infinity_norm", 0.04, index == 0, "phone 0.30 to 0.35")
        yield Shift(
            name,
            "drift",
            0.01 * index,
            "jensen_shannon_divergence" if name == "price" else "infinity_norm",
            0.08,
            False,
        )


def make_full():
    """All facts of the run."""
    start, gap = datetime.datetime(2024, 3, 1, 0, 3, tzinfo=_UTC), datetime.timedelta(days=1)
    return Facts(
        name="shop",
        written=datetime.datetime(2026, 11, 25, 13, 30, tzinfo=_UTC),
        outputs=OUTPUTS,
        group_by="user_id",
        metrics=tuple(_metrics()),
        verdict=_verdict(),
        curves=tuple(_curves(model, output) for model in ("candidate", "baseline") for output in _ROWS),
        baseline="1795388392",
        no_baseline="",
        push=PushFacts(False),
        history=tuple(_history()),
        sources=(
            SourceAccount(
                "impressions",
                202020,
                {
                    "examples.train": 146036,
                    "examples.eval": 27459,
                    "outside_split": 26519,
                    "duplicate": 2000,
                    "bad_time": 6,
                },
            ),
            SourceAccount(
                "clicks", 9070, {"attached": 8817, "duplicate": 178, "malformed": 2, "outside_click_window": 73}
            ),
            SourceAccount("items", 871, {"kept": 871}),
        ),
        splits=(
            SplitFacts(
                "train", "before 2024-03-11", 146036, {"click": 6300, "conversion": 610}, start, start + 10 * gap
            ),
            SplitFacts(
                "eval", "from 2024-03-13", 27459, {"click": 1217, "conversion": 115}, start + 12 * gap, start + 14 * gap
            ),
        ),
        not_final={"conversion": 1404},
        final_labels_only=True,
        min_examples=100,
        statistics=tuple(_statistics()),
        shifts=tuple(_shifts()),
        vocabularies=(
            VocabularySize("user_id", ("user_id",), 3911, 5, None),
            VocabularySize("item_id", ("item_id", "last_item"), 803, 5, 1000),
            VocabularySize("device", ("device",), 4, 1, None),
        ),
        unknown=tuple(
            UnknownValues(feature, split, rows, rows, int(rows * rate * (3 if split == "eval" else 1)))
            for split, rows in (("train", 100000), ("eval", 27459))
            for feature, rate in (("user_id", 0.02), ("item_id", 0.003), ("last_item", 0.01), ("device", 0.0))
        ),
        lineage=Lineage(
            configuration=f"name: shop\n# {EVIL}\ntasks:\n- name: click\n",
            data="/data/shop",
            commit="276088c1f0 (with changes)",
            code_versions={"Trainer": "5731e054d9c8f22b", "ModelEvaluator": "f455a55c261df0e9"},
            packages={"python": "3.10.14", "tensorflow": "2.16.2"},
            artifacts=(
                ArtifactRecord("examples", "Examples", 2, "/runs/shop/artifacts/LogExampleGen/examples/2"),
                ArtifactRecord("model", "Model", 11, "/runs/shop/artifacts/Trainer/model/6"),
            ),
            model="/runs/shop/artifacts/Trainer/model/6/Format-Serving",
        ),
    )


def make_bare():
    """The facts of a run that left as little as it can: no baseline, no curves, nothing measured."""
    kept = ("auc", "example_count")
    return dataclasses.replace(
        make_full(),
        metrics=tuple(
            dataclasses.replace(each, low=math.nan, high=math.nan)
            for each in make_full().metrics
            if each.model == "candidate" and each.metric in kept and not each.slice
        ),
        verdict=Verdict(blessed=True, baseline=False),
        curves=None,
        baseline="",
        no_baseline="no other model is pushed in /models/shop",
        push=PushFacts(True, "1795", "/models/shop/1795"),
        history=(),
        sources=None,
        splits=(SplitFacts("train", "files a.csv", None, {}, None, None),),
        not_final=None,
        statistics=(),
        shifts=None,
        vocabularies=(),
        unknown=(),
    )


@pytest.fixture(scope="session")
def full() -> Facts:
    """The facts of a run with everything in it."""
    return make_full()


@pytest.fixture(scope="session")
def bare() -> Facts:
    """The facts of a run that left as little as it can."""
    return make_bare()


@pytest.fixture(scope="session")
def evil() -> str:
    """A value of the full run's logs that would run a script, if it were not escaped."""
    return EVIL


@pytest.fixture(scope="session")
def report(full, tmp_path_factory) -> Path:
    """The file of the full run."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page.build(full), encoding="utf-8")
    return path
