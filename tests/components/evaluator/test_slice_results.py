from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tandem.components.evaluator.slice_results import SliceResults, slice_results
from tandem.components.metrics import catalog
from tandem.components.metrics.estimates import all_statistics
from tandem.components.metrics.rows import Rows
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.statistics import Statistics
from tandem.components.metrics.users import no_users

if TYPE_CHECKING:
    from tandem.components.evaluator.results import MetricValue

_MODELS, _OUTPUTS = ("candidate", "baseline"), ("x", "y_given_x")


def _rows(count: int = 600) -> Rows:
    rng = np.random.default_rng(3)
    users = rng.integers(0, 60, count)
    x = rng.integers(0, 2, count)
    return Rows(
        users=users,
        clusters=users.astype(np.uint8),
        labels=np.stack([x, np.where(x == 1, rng.integers(0, 2, count), -1)], axis=1).astype(np.int8),
        scores=rng.random((count, 4)).astype(np.float32),
        slicings=(Sliced.all_rows(count),),
    )


def _by_name(found: SliceResults) -> dict[tuple[str, str, str], MetricValue]:
    return {(each.model, each.output, each.metric): each for each in found.metrics}


def test_every_metric_of_every_model_and_the_differences() -> None:
    found = _by_name(slice_results(all_statistics(_rows()), _MODELS, _OUTPUTS))
    of_models = {(model, output, name) for model in _MODELS for output in _OUTPUTS for name in catalog.METRICS}
    differences = {("difference", output, name) for output in _OUTPUTS for name in catalog.INTERVAL_METRICS}
    assert found.keys() == of_models | differences
    auc, change = found["candidate", "x", "auc"], found["difference", "x", "auc"]
    assert auc.low < auc.value < auc.high
    assert change.value == auc.value - found["baseline", "x", "auc"].value
    assert change.low < change.value < change.high
    assert ("difference", "x", "example_count") not in found


def test_without_users_there_is_no_gauc_and_all_else_is_as_ever() -> None:
    rows = _rows()
    nobody = Rows(no_users(len(rows)), rows.clusters, rows.labels, rows.scores, rows.slicings)
    found = slice_results(all_statistics(nobody), _MODELS, _OUTPUTS, grouped=False)
    of_users = _by_name(slice_results(all_statistics(rows), _MODELS, _OUTPUTS))
    gauc = {name for name in catalog.METRICS if name.startswith("gauc")}
    assert _by_name(found) == {key: value for key, value in of_users.items() if key[2] not in gauc}
    assert [curve.by_activity for curve in found.curves] == [()] * 4


def test_a_single_model_has_no_differences() -> None:
    rows = _rows()
    alone = Rows(rows.users, rows.clusters, rows.labels, rows.scores[:, :2], rows.slicings)
    found = slice_results(all_statistics(alone), _MODELS[:1], _OUTPUTS)
    both = _by_name(slice_results(all_statistics(rows), _MODELS, _OUTPUTS))
    assert {each.model for each in found.metrics} == {"candidate"}
    assert all(repr(value) == repr(both[key]) for key, value in _by_name(found).items())
    assert [(each.model, each.output) for each in found.curves] == [("candidate", "x"), ("candidate", "y_given_x")]


def test_curves_of_all_rows_alone() -> None:
    rows = _rows()
    (everything,) = all_statistics(rows).each()
    found = slice_results(everything, _MODELS, _OUTPUTS)
    assert [(each.model, each.output) for each in found.curves] == [(m, o) for o in _OUTPUTS for m in _MODELS]
    labels = rows.labels[:, 0]
    assert sum(found.curves[0].positives) == (labels == 1).sum()
    in_city = Statistics(((("city", 1),),), everything.tables)
    assert slice_results(in_city, _MODELS, _OUTPUTS).curves == ()


def test_sums_of_parts_are_added() -> None:
    rows = _rows()
    # Whole users in each part, as shards have them.
    parts = [all_statistics(rows.take(np.flatnonzero(rows.users % 3 == number))) for number in range(3)]
    travelled = Statistics.merged(pickle.loads(pickle.dumps(part)) for part in parts)
    whole = _by_name(slice_results(all_statistics(rows), _MODELS, _OUTPUTS))
    found = _by_name(slice_results(travelled, _MODELS, _OUTPUTS))
    for metric in ("gauc", "log_loss", "example_count"):
        key = ("candidate", "y_given_x", metric)
        assert found[key].value == pytest.approx(whole[key].value, rel=1e-12)


def test_travels_between_workers() -> None:
    found = slice_results(all_statistics(_rows()), _MODELS, _OUTPUTS)
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)
