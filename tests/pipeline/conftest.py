import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tandem.pipeline.configuration import yaml_file
from tandem.pipeline.trials.report import Inside, Speed, TrialReport

SETTINGS = textwrap.dedent(
    """
    name: shop
    data_dir: logs
    logs:
      impressions: {files: "impressions-*.csv", time: {column: time_ms, unit: ms}}
      clicks: {files: "clicks-*.csv", time: {column: time_ms, unit: ms}}
      conversions: {files: "conversions-*.csv", time: {column: time_ms, unit: ms}, event: event}
      side_tables: [{name: items, files: items.csv, key: item_id}]
      join: {on: impression_id, click_window_hours: 12, conversion_window_hours: 36}
      post_impression: [play_time]
      derived: {hour: hour_of_day}
      split:
        train: {before: 2024-03-11}
        eval: {from: 2024-03-13}
    features:
      - {name: user_id, kind: categorical}
      - {name: item, column: item_id, kind: categorical}
      - {name: tags, kind: bag, separator: ","}
      - {name: price, kind: numeric, buckets: 4}
      - {name: hour, kind: categorical}
    tasks:
      - {name: click}
      - {name: sale, label: conversion, given: click}
    evaluation:
      slices: [device, [device, hour]]
      thresholds:
        - {metric: auc, output: click, at_least: 0.6}
    """
)


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound configuration, in a folder of its own that is also the current one."""
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "shop.yaml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture
def edited(config_file: Path) -> Callable[[Callable[[dict], None]], Path]:
    """Rewrites the configuration after a change of its settings."""

    def edit(change: Callable[[dict], None]) -> Path:
        settings, _ = yaml_file.read(config_file)
        change(settings)
        config_file.write_text(yaml_file.dump(settings))
        return config_file

    return edit


@pytest.fixture
def logs(config_file: Path) -> Path:
    """Five impressions to train on and two to judge by, with what the configuration reads."""
    folder = config_file.parent / "logs"
    folder.mkdir()
    (folder / "impressions-0.csv").write_text(
        "impression_id,time_ms,user_id,item_id,device\n"
        + "".join(f"i{n},{1709251200000 + n},u{n % 2},i{n % 3},phone\n" for n in range(5))
        + "".join(f"i{n},{1710374400000 + n},u{n % 2},i{n % 3},phone\n" for n in range(5, 7))
    )
    (folder / "clicks-0.csv").write_text("impression_id,time_ms\ni1,1709251300000\n")
    (folder / "conversions-0.csv").write_text("impression_id,time_ms,event\ni1,1709251400000,conversion\n")
    (folder / "items.csv").write_text('item_id,tags,price\ni0,"a,b",1.5\ni1,,2\ni2,c,\n')
    return folder


@pytest.fixture
def report():
    """Makes the report of a run, of three outputs."""

    def make(system, variant=None, seed=1, auc=0.6, digest="d", **changed):
        names = ("auc", "gauc", "log_loss", "calibration")
        values = dict(zip(names, (auc, 0.55, 0.2, 1.1), strict=True)) | {"example_count": 900.0, "positive_count": 40.0}
        return TrialReport(
            system=system,
            variant=variant,
            seed=seed,
            digest=digest,
            metrics={"view": values, "buy_given_view": values | {"gauc": None}, "view_and_buy": values},
            **{
                "parameters_trained": 1200,
                "parameters_exported": 1000,
                "speed": Speed(examples=1000, seconds=2.0, cpu_seconds=4.0, whole_seconds=9.0),
                "latency_ms": 3.0,
                "inside": Inside(),
                **changed,
            },
        )

    return make
