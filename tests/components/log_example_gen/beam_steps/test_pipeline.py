"""The steps one after the other: what goes between them, and what another one between them would meet."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.testing.util import assert_that, equal_to

from tandem.components.log_example_gen.beam_steps.block_steps import AddFinality, SplitBlock, shuffled
from tandem.components.log_example_gen.beam_steps.outputs import Account, step
from tandem.components.log_example_gen.beam_steps.pipeline import build
from tandem.components.log_example_gen.blocks import ExampleBlock
from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.records import FILE, ROW, TIME
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tandem.components.log_example_gen.plan import Plan

HOUR_US = 3_600_000_000
STREAM = {"time": {"column": "t", "unit": "s"}}
STREAMS = {
    "impressions": STREAM | {"files": "impressions.csv"},
    "clicks": STREAM | {"files": "clicks.csv"},
    "side_tables": [{"name": "users", "files": "users.csv", "key": "user"}],
    "join": {"on": "id", "click_window_hours": 1},
    "derived": {"hour": "hour_of_day"},
    "split": {"train": {"before": "1970-01-01T12:00"}, "eval": {"from": "1970-01-01T13:00"}},
}
TABLE = {"table": {"files": ["a.csv", "b.csv"]}, "split": {"train": {"files": "a.csv"}, "eval": {"files": "b.csv"}}}


def in_memory() -> beam.Pipeline:
    return beam.Pipeline(options=PipelineOptions(["--direct_running_mode=in_memory", "--direct_num_workers=1"]))


@pytest.fixture
def streams(tmp_path: Path) -> Plan:
    (tmp_path / "impressions.csv").write_text("id,t,user\n" + "".join(f"{i},{i * 3600},u{i % 3}\n" for i in range(24)))
    (tmp_path / "clicks.csv").write_text("id,t\n3,10900\n20,72000\n")
    (tmp_path / "users.csv").write_text("user,age\nu0,30\nu1,40\n")
    columns = {name: ExampleColumn() for name in ("user", "age", "hour")}
    return make_plan(LogSettings.model_validate(STREAMS), columns, [Label(name="click")], str(tmp_path))


@pytest.fixture
def table(tmp_path: Path) -> Plan:
    for name, rows in (("a.csv", 300), ("b.csv", 100)):
        cells = "".join(f"{name[0]}{i:03},{'maybe' if i % 50 == 7 else i % 2}\n" for i in range(rows))
        (tmp_path / name).write_text(f"user,click\n{cells}")
    settings = LogSettings.model_validate(TABLE)
    return make_plan(settings, {"user": ExampleColumn()}, [Label(name="click")], str(tmp_path))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Runs all steps of a plan; returns the folder with `train`, `eval`, `quarantine` and `counts.json`."""

    def run(plan: Plan, name: str) -> Path:
        root = tmp_path / name
        folders = {split: str(root / split) for split in plan.logs.split.periods()}
        for folder in (*folders.values(), str(root / "quarantine")):
            (root / folder).mkdir(parents=True)
        with in_memory() as pipeline:
            build(pipeline, plan, folders, str(root / "quarantine"), str(root / "counts.json"))
        return root

    return run


class _Types(PipelineVisitor):
    """The types of what every step gives, by its label."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def visit_transform(self, transform_node: Any) -> None:
        main = transform_node.outputs.get(None)
        self.found[transform_node.full_label.split("/")[0]] = None if main is None else main.element_type


@pytest.mark.parametrize(
    ("fixture", "steps"),
    [
        ("streams", ["Join", "Finality", "Derive", "Split", "AttachSides"]),
        ("table", ["Read", "CheckLabels", "Split", "Shuffle"]),
    ],
)
def test_every_step_gives_blocks(request: pytest.FixtureRequest, fixture: str, steps: list[str]) -> None:
    pipeline, types = in_memory(), _Types()
    build(pipeline, request.getfixturevalue(fixture), {"train": "/t", "eval": "/e"}, "/q", "/c")
    pipeline.visit(types)
    assert [name for name, given in types.found.items() if given is ExampleBlock] == steps


def blocks_of_hours(*parts: range) -> list[ExampleBlock]:
    frames = [
        pl.DataFrame({"id": [f"{hour}" for hour in hours], TIME: [hour * HOUR_US for hour in hours]}).with_columns(
            pl.lit(0, pl.Int32).alias(FILE), pl.lit("u").alias("user"), pl.lit("0").alias("t"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW),
        )
        for hours in parts
    ]  # fmt: skip
    return [ExampleBlock(part, 0, frame) for part, frame in enumerate(frames)]


def told(block: ExampleBlock) -> tuple[Any, ...]:
    hours = [time // HOUR_US for time in block.rows.get_column(TIME)]
    return block.part, block.split, hours, block.rows.get_column("click_is_final").to_list()


class TwelveHoursLater(beam.PTransform):
    """What a room to come may do: blocks are brought together by part, travel, and have a column changed."""

    def expand(self, blocks: Any) -> Any:
        return (
            blocks
            | beam.Map(lambda block: (block.part, block)).with_output_types(tuple[int, ExampleBlock])
            | beam.GroupByKey()
            | beam.FlatMap(self._later).with_output_types(ExampleBlock)
        )

    @staticmethod
    def _later(element: tuple[int, list[ExampleBlock]]) -> list[ExampleBlock]:
        return [
            dataclasses.replace(block, rows=block.rows.with_columns(pl.col(TIME) + 12 * HOUR_US))
            for block in element[1]
        ]


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (None, [(0, "train", [10, 11], [1, 1]), (1, "train", [0], [1]), (1, "eval", [14], [0])]),
        (TwelveHoursLater(), [(0, "eval", [22, 23, 24], [1, 1, 1]), (1, "eval", [26], [0])]),
    ],
)
def test_a_step_can_stand_between_two_others(streams: Plan, between: Any, expected: list[tuple[Any, ...]]) -> None:
    blocks = blocks_of_hours(range(10, 13), range(0, 15, 14))
    # Hour 12 falls between the splits (and so does 0, later); observed until 14, a click may come for an hour.
    with in_memory() as pipeline:
        account = Account()
        made = pipeline | beam.Create(blocks).with_output_types(ExampleBlock)
        made = account.main(made | "Finality" >> step(AddFinality(streams), 14 * HOUR_US, gives=ExampleBlock))
        if between is not None:
            made = made | "Between" >> between
        made = account.main(made | "Split" >> step(SplitBlock(streams), gives=ExampleBlock))
        assert_that(made | beam.Map(told), equal_to(expected))
        counts = account.counts() | beam.Map(lambda counts: sum(counts.outcomes["impressions"].values()))
        assert_that(counts, equal_to([5]), label="every row is accounted for")


def examples_in(folder: Path, split: str) -> dict[str, list[tuple[str, int]]]:
    """By file in the order in which they are read, the users and labels of its examples."""
    import tensorflow as tf

    found = {}
    for path in sorted((folder / split).iterdir()):
        features = [
            tf.train.Example.FromString(record).features.feature
            for record in tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator()
        ]
        found[path.name] = [(f["user"].bytes_list.value[0].decode(), f["click"].int64_list.value[0]) for f in features]
    return found


def test_a_table_is_written_in_blocks_whose_files_stand_in_its_order(table: Plan, run: Callable[..., Path]) -> None:
    whole, cut = run(table, "whole"), run(dataclasses.replace(table, block_bytes=1000), "cut")
    one, several = (examples_in(folder, "train") for folder in (whole, cut))
    assert list(one) == ["data_tfrecord-00000-of-00002.gz"]
    assert list(several) == [
        "data_tfrecord-00000-of-00002.gz",
        "data_tfrecord-00000-of-00002_00001.gz",
        "data_tfrecord-00000-of-00002_00002.gz",
    ]
    blocks = list(several.values())
    # Each block is shuffled in itself.
    assert [sorted(block) for block in blocks] != blocks
    assert [row for block in blocks for row in sorted(block)] == sorted(one["data_tfrecord-00000-of-00002.gz"])
    assert len(one["data_tfrecord-00000-of-00002.gz"]) == 294
    assert list(examples_in(cut, "eval")) == ["data_tfrecord-00001-of-00002.gz"]
    assert (whole / "counts.json").read_text() == (cut / "counts.json").read_text()
    assert json.loads((cut / "counts.json").read_text())["outcomes"]["table"] == {
        "bad_label": 8, "examples.eval": 98, "examples.train": 294
    }  # fmt: skip
    quarantined = [(root / "quarantine" / "table" / "bad_label-00000.jsonl.gz").read_bytes() for root in (whole, cut)]
    assert quarantined[0] == quarantined[1]


def test_shuffling_depends_on_the_part_and_the_rows_alone() -> None:
    first, second = blocks_of_hours(range(20), range(20))
    order = shuffled(first).rows.get_column(ROW).to_list()
    assert sorted(order) == list(range(20))
    assert shuffled(first).rows.get_column(ROW).to_list() == order
    assert shuffled(second).rows.get_column(ROW).to_list() != order
    assert (shuffled(first).part, shuffled(first).number) == (0, 0)
