"""Files of examples appear whole, and the same block gives the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tandem.components.log_example_gen.beam_steps import writing
from tandem.components.log_example_gen.beam_steps.writing import WriteExamples, file_name
from tandem.components.log_example_gen.blocks import ExampleBlock
from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tandem.components.log_example_gen.plan import Plan

BLOCK = ExampleBlock(
    0, 0, pl.DataFrame({"n": ["1", "x", "3"], "click": pl.Series([1, 0, 1], dtype=pl.Int8)}), split="train"
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "a.csv").write_text("n,click\n")
    logs = LogSettings.model_validate(
        {
            "table": {"files": "*.csv", "time": {"column": "n", "unit": "s"}},
            "split": {"train": {"before": "1970-01-02"}, "eval": {"from": "1970-01-02"}},
        }
    )
    return make_plan(logs, {"n": ExampleColumn(kind="int")}, [Label(name="click")], str(tmp_path))


def test_a_block_that_is_written_again_takes_the_place_of_itself(plan: Plan, tmp_path: Path) -> None:
    step = WriteExamples(plan, {"train": str(tmp_path / "train")})
    seen = []
    for _ in range(2):
        (counts,) = step.process(BLOCK)
        (path,) = (tmp_path / "train").iterdir()
        seen.append((path.name, path.read_bytes(), counts.value))
    assert seen[0] == seen[1]
    assert seen[0][0] == "data_tfrecord-00000-of-00001.gz"
    assert (seen[0][2].positives, seen[0][2].unreadable) == ({"train": {"click": 2}}, {"n": 1})


def test_a_block_that_fails_midway_leaves_nothing(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples_of = writing.examples_of

    def failing(*args: object, **kwargs: object) -> Iterator[tuple[list[bytes], dict[str, int]]]:
        yield from examples_of(*args, **kwargs)  # type: ignore[arg-type]
        raise OSError("the disk is full")

    folder = tmp_path / "train"
    step = WriteExamples(plan, {"train": str(folder)})
    for written in ([], ["data_tfrecord-00000-of-00001.gz"]):
        with monkeypatch.context() as patch:
            patch.setattr(writing, "examples_of", failing)
            with pytest.raises(OSError, match="the disk is full"):
                list(step.process(BLOCK))
        assert [path.name for path in folder.iterdir()] == written
        list(step.process(BLOCK))


def test_files_stand_in_the_order_of_parts_and_blocks() -> None:
    places = [(part, number) for part in (0, 1, 9, 10, 99_999) for number in (0, 1, 2, 10, 99_999)]
    names = [file_name(ExampleBlock(part, number, BLOCK.rows), 100_000) for part, number in places]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert names[0] == "data_tfrecord-00000-of-100000.gz"


def test_what_is_not_split_is_not_written(plan: Plan) -> None:
    with pytest.raises(RuntimeError, match="written before they are split"):
        next(WriteExamples(plan, {}).process(ExampleBlock(0, 0, BLOCK.rows)))
