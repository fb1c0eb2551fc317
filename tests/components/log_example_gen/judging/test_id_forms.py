"""Ids that are whole numbers in one file and have a point in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.judging.id_forms import id_forms
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_form_is_that_of_all_ids() -> None:
    rows = pl.DataFrame(
        {
            "whole": ["", "7", "-8"],
            "double": ["7.0", "", "8.00"],
            "mixed": ["7.0", "8", ""],
            "version": ["7.0", "7.1", "8.0"],
            "text": ["u7", "", "u8"],
            "none": ["", "", ""],
            "list": [["7"], [], ["8"]],
        }
    )
    assert id_forms(rows, rows.columns, "a.csv") == {
        "whole": {"whole": "'7' in a.csv"},
        "double": {"double": "'7.0' in a.csv"},
    }


def test_a_run_tells_which_columns_have_both(tmp_path: Path, run_step: Any, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("click,user,item,price\n" + "1,17,3,1\n0,18,4,2\n" * 5)
    (tmp_path / "b.csv").write_text("click,user,item,price\n" + "1,17.0,3,1.0\n0,,4,2.0\n" * 5)
    (tmp_path / "items.csv").write_text("item,shop\n3.0,s\n4.0,s\n")
    (tmp_path / "whole.csv").write_text("item,shop\n3,s\n4,s\n")
    logs = LogSettings.model_validate(
        {
            "table": {"files": ["a.csv", "b.csv"]},
            "side_tables": [{"name": "items", "files": ["items.csv", "whole.csv"], "key": "item"}],
            "split": {"train": {"files": "a.csv"}, "eval": {"files": "b.csv"}},
        }
    )
    columns = {"user": ExampleColumn(), "shop": ExampleColumn(), "price": ExampleColumn(kind="float")}
    run_step(LogExampleGen(logs, columns, [Label(name="click")], str(tmp_path)))
    told = [message for message in caplog.messages if "with a point" in message]
    assert told == [
        "column 'item' has whole numbers ('3' in a.csv) and such with a point ('3.0' in items.csv); as ids these are "
        "different, bring the files into one form",
        "column 'user' has whole numbers ('17' in a.csv) and such with a point ('17.0' in b.csv); as ids these are "
        "different, bring the files into one form",
    ]
