"""Row weights."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.records import REASON
from tandem.components.log_example_gen.settings.columns import ExampleColumn
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.weights import check_weights


def test_a_weight_is_one_finite_number_of_0_or_more() -> None:
    cells = ["1", " 2.5 ", "0", "-0", "1e3", "3.4e38", "", " ", "-1", "nan", "inf", "3.5e38", "1,5", "heavy"]
    rows = pl.DataFrame({"w": cells, "v": ["1"] * len(cells)})
    sound, unsound = check_weights(rows, ["v", "w"])
    assert sound.get_column("w").to_list() == cells[:6]
    assert unsound.rows() == [(cell, "1", "bad_weight") for cell in cells[6:]]
    assert sound.columns == rows.columns


def test_one_bad_weight_of_several_is_enough() -> None:
    rows = pl.DataFrame({"v": ["1", "x", "1"], "w": ["1", "1", "x"]})
    sound, unsound = check_weights(rows, ["v", "w"])
    assert sound.rows() == [("1", "1")]
    assert unsound.get_column(REASON).to_list() == ["bad_weight", "bad_weight"]


def test_lists_weigh_nothing() -> None:
    with pytest.raises(LogsError, match="column 'w' holds lists; a row weight is one number"):
        check_weights(pl.DataFrame({"w": [["1"]]}), ["w"])


def test_a_column_that_weighs_rows_is_read_as_a_number() -> None:
    assert ExampleColumn(weight=True).kind == "float"
    assert ExampleColumn(weight=True, kind="float") == ExampleColumn(weight=True)
    assert ExampleColumn.model_validate_json(ExampleColumn(weight=True).model_dump_json()) == ExampleColumn(weight=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"kind": "int"}, "kind 'float', not 'int'"), ({"separator": "|"}, "kind 'float', not 'float' separated by '|'")],
)
def test_a_weight_is_not_several_and_no_category(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        ExampleColumn(weight=True, **given)
    assert f"a row weight is one number in each row: {message}" in str(error.value)


def test_the_settings_tell_the_weight_of_impressions_or_of_the_table() -> None:
    split = {"train": {"files": "a"}, "eval": {"files": "b"}}
    assert LogSettings.model_validate({"table": {"files": "x", "weight": "w"}, "split": split}).weight == "w"
    assert LogSettings.model_validate({"table": {"files": "x"}, "split": split}).weight is None
    time = {"column": "t", "unit": "s"}
    streams: dict[str, Any] = {
        "impressions": {"files": "i", "time": time, "weight": "w"},
        "clicks": {"files": "c", "time": time},
        "join": {"on": "id"},
        "split": {"train": {"before": "1970-01-02"}, "eval": {"from": "1970-01-02"}},
    }
    assert LogSettings.model_validate(streams).weight == "w"
    with pytest.raises(ValidationError, match=r"clicks\.weight\s+Extra inputs are not permitted"):
        LogSettings.model_validate({**streams, "clicks": {"files": "c", "time": time, "weight": "w"}})
