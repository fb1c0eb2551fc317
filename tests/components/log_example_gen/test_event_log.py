"""One file of events as several streams: labels and counts against pandas, and what is refused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
EVENTS = {"files": "events.csv", "time": {"column": "at", "unit": "s"}}
SPLIT = {"train": {"before": "1970-01-03"}, "eval": {"from": "1970-01-04"}}


@pytest.fixture
def log(tmp_path: Path) -> pd.DataFrame:
    """Views (0), clicks (1), carts (2), buys (3) and shares (4) of a few users and items; also written to a file."""
    chance = random.Random(7)
    rows = [
        (f"u{chance.randrange(6)}", f"i{chance.randrange(4)}", chance.choices(range(5), (8, 4, 3, 3, 1))[0], second)
        for second in sorted(chance.sample(range(5 * 24 * HOUR), 1500))
    ]
    log = pd.DataFrame(rows, columns=["user", "item", "type", "at"])
    log.to_csv(tmp_path / "events.csv", index=False)
    return log


def ingest(run_step: Any, folder: Path, logs: dict[str, Any], labels: list[Label]) -> Any:
    settings = LogSettings.model_validate({"split": SPLIT, "max_bad_share": 1.0, **logs})
    columns = {"user": ExampleColumn(), "item": ExampleColumn()}
    return run_step(LogExampleGen(settings, columns, labels, str(folder)))


def found(outputs: Any, *labels: str) -> dict[tuple[str, str, int], tuple[int, ...]]:
    """The labels of all examples, by user, item and second."""
    return {
        (row["user"][0].decode(), row["item"][0].decode(), row["impression_time_us"][0] // 1_000_000): tuple(
            row[label][0] for label in labels
        )
        for split in ("train", "eval")
        for row in outputs.rows(split)
    }


def in_split(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["at"] < 48 * HOUR) | (rows["at"] >= 72 * HOUR)]


def test_a_log_without_clicks_gives_labels_by_the_latest_view(log: pd.DataFrame, tmp_path: Path, run_step: Any) -> None:
    logs = {
        "impressions": EVENTS | {"where": {"type": 0}},
        "clicks": "absent",
        "conversions": EVENTS | {"where": {"type": {"at_least": 2}}, "event": "type", "events": {2: "cart", 3: "buy"}},
        "join": {"on": ["user", "item"], "attribution": "last_touch", "conversion_window_hours": 6},
    }
    outputs = ingest(run_step, tmp_path, logs, [Label(name="cart"), Label(name="buy")])
    views = log[log["type"] == 0].assign(shown=lambda rows: rows["at"])
    expected = {(row.user, row.item, row.at): [0, 0] for row in in_split(views).itertuples()}
    events = log[log["type"].isin([2, 3])]
    matched = pd.merge_asof(
        events, views[["user", "item", "at", "shown"]], on="at", by=["user", "item"], tolerance=6 * HOUR
    ).dropna()
    for row in matched.itertuples():
        if (row.user, row.item, int(row.shown)) in expected:
            expected[row.user, row.item, int(row.shown)][row.type - 2] = 1
    assert found(outputs, "cart", "buy") == {row: tuple(labels) for row, labels in expected.items()}
    assert sum(map(sum, expected.values())) > 20
    counts = outputs.counts()
    assert counts["rows"] == {"impressions": 1500, "conversions": 1500}
    kinds = log["type"].value_counts()
    assert counts["outcomes"]["impressions"]["not_asked_for"] == 1500 - kinds[0]
    assert counts["outcomes"]["conversions"]["not_asked_for"] == kinds[0] + kinds[1]
    assert counts["outcomes"]["conversions"]["unused_event"] == kinds[4]
    # What is not asked for is counted only: nothing is wrong with it.
    assert not [name for name in outputs.set_aside() if name.endswith("not_asked_for")]


def test_three_streams_of_one_file(log: pd.DataFrame, tmp_path: Path, run_step: Any) -> None:
    logs = {
        "impressions": EVENTS | {"where": {"type": 0}},
        "clicks": EVENTS | {"where": {"type": "1"}},
        "conversions": EVENTS | {"where": {"type": [3]}, "label": "buy"},
        "join": {
            "on": ["user", "item"],
            "attribution": "last_touch",
            "click_window_hours": 12,
            "conversion_window_hours": 2,
        },
    }
    outputs = ingest(run_step, tmp_path, logs, [Label(name="click"), Label(name="buy", parent="click")])
    keys = ["user", "item"]
    views = log[log["type"] == 0].assign(shown=lambda rows: rows["at"])[[*keys, "at", "shown"]]
    clicks = pd.merge_asof(log[log["type"] == 1], views, on="at", by=keys, tolerance=12 * HOUR).dropna()
    clicks = clicks[[*keys, "at", "shown"]].assign(clicked=lambda rows: rows["at"])
    # All clicks, also the second of a view: a buy belongs to the latest before it.
    buys = pd.merge_asof(log[log["type"] == 3], clicks, on="at", by=keys, tolerance=2 * HOUR).dropna()
    expected = {(row.user, row.item, row.at): [0, 0] for row in in_split(views).itertuples()}
    for position, rows in enumerate((clicks, buys)):
        for row in rows.itertuples():
            if (row.user, row.item, int(row.shown)) in expected:
                expected[row.user, row.item, int(row.shown)][position] = 1
    assert found(outputs, "click", "buy") == {row: tuple(labels) for row, labels in expected.items()}
    first_only = clicks.drop_duplicates([*keys, "shown"])
    fewer = pd.merge_asof(log[log["type"] == 3], first_only, on="at", by=keys, tolerance=2 * HOUR).dropna()
    assert len(fewer) < len(buys)  # so that the test can tell
    assert outputs.counts()["outcomes"]["clicks"]["attached"] == len(first_only)


def test_clicks_and_buys_only(log: pd.DataFrame, tmp_path: Path, run_step: Any) -> None:
    """Logs that begin with clicks: these are the impressions."""
    logs = {
        "impressions": EVENTS | {"where": {"type": 1}},
        "conversions": EVENTS | {"where": {"type": 3}, "label": "buy"},
        "join": {"on": ["user", "item"], "attribution": "last_touch", "conversion_window_hours": 24},
    }
    outputs = ingest(run_step, tmp_path, logs, [Label(name="buy")])
    clicks = log[log["type"] == 1].assign(clicked=lambda rows: rows["at"])[["user", "item", "at", "clicked"]]
    buys = pd.merge_asof(log[log["type"] == 3], clicks, on="at", by=["user", "item"], tolerance=24 * HOUR).dropna()
    bought = {(row.user, row.item, int(row.clicked)) for row in buys.itertuples()}
    keys = {(row.user, row.item, row.at) for row in in_split(clicks).itertuples()}
    assert found(outputs, "buy") == {key: (int(key in bought),) for key in keys}


def test_conditions_that_no_row_satisfies_are_told_with_what_there_is(
    log: pd.DataFrame, tmp_path: Path, run_step: Any
) -> None:
    logs = {
        "impressions": EVENTS | {"where": {"type": 0}},
        "clicks": EVENTS | {"where": {"type": "click"}},
        "join": {"on": ["user", "item"], "attribution": "last_touch", "click_window_hours": 1},
    }
    with pytest.raises(LogsError) as error:
        ingest(run_step, tmp_path, logs, [Label(name="click")])
    assert "clicks: none of 1,500 rows satisfies 'where'; asked is type: equals click, and the first rows have" in str(
        error.value
    )
    logs["clicks"] = EVENTS | {"where": {"typ": 1}}
    with pytest.raises(LogsError, match=r"clicks: column 'typ' is missing in events\.csv; .*; did you mean 'type'\?"):
        ingest(run_step, tmp_path, logs, [Label(name="click")])


STREAMS: dict[str, Any] = {
    "impressions": EVENTS | {"where": {"type": 0}},
    "clicks": EVENTS | {"where": {"type": 1}},
    "conversions": EVENTS | {"where": {"type": 3}, "label": "buy"},
    "join": {"on": "item", "attribution": "last_touch", "click_window_hours": 1, "conversion_window_hours": 2},
    "split": SPLIT,
}


@pytest.mark.parametrize(
    ("change", "windows", "delay"),
    [
        ({}, {"click_window_hours": 1, "conversion_window_hours": 2}, 3),
        ({"clicks": "absent"}, {"conversion_window_hours": 2}, 2),
        ({"conversions": None}, {"click_window_hours": 1}, 1),
    ],
)
def test_each_stream_needs_its_own_window(change: dict[str, Any], windows: dict[str, float], delay: float) -> None:
    join = {"on": "item", "attribution": "last_touch"}
    logs = LogSettings.model_validate(STREAMS | change | {"join": join | windows})
    assert logs.label_delay.total_seconds() == delay * HOUR
    for name in windows:
        left = {other: hours for other, hours in windows.items() if other != name}
        with pytest.raises(ValueError, match=f"join: attribution 'last_touch' needs {name}"):
            LogSettings.model_validate(STREAMS | change | {"join": join | left})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clicks": None}, "join: 'click_window_hours' says nothing here: there are no 'clicks'"),
        ({"clicks": None, "conversions": None}, "'impressions' need 'join', and 'clicks', 'conversions' or both"),
        ({"join": None}, "'impressions' need 'join', and 'clicks', 'conversions' or both"),
        (
            {"conversions": EVENTS | {"label": "buy", "events": {"3": "buy"}}},
            "'events' says what the values of the column 'event' mean",
        ),
    ],
)
def test_streams_that_do_not_go_together(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogSettings.model_validate(STREAMS | change)


def test_labels_that_no_kind_of_event_sets_are_told(log: pd.DataFrame, tmp_path: Path, run_step: Any) -> None:
    logs = STREAMS | {"conversions": EVENTS | {"event": "type", "events": {"3": "buy", "2": "cart"}}}
    labels = [Label(name="click"), Label(name="by", parent="click")]
    with pytest.raises(LogsError, match=r"labels \['by'\] come from no stream: conversions set buy, cart"):
        ingest(run_step, tmp_path, logs, labels)
    logs = STREAMS | {"conversions": EVENTS | {"event": "type", "events": {"1": "click", "3": "buy"}}}
    with pytest.raises(LogsError, match="clicks and conversions cannot both set the label 'click'"):
        ingest(run_step, tmp_path, logs, [Label(name="click"), Label(name="buy", parent="click")])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"clicks": EVENTS | {"where": {"type": 0}}}, "impressions and clicks"),
        ({"clicks": None, "impressions": EVENTS, "conversions": EVENTS | {"event": "type"}}, "impressions and conver"),
        ({"conversions": EVENTS | {"where": {"type": 1}, "label": "buy"}}, "clicks and conversions"),
    ],
)
def test_two_streams_of_the_same_rows_are_refused(
    log: pd.DataFrame, tmp_path: Path, run_step: Any, change: dict[str, Any], told: str
) -> None:
    clicked = change.get("clicks", STREAMS["clicks"]) is not None
    join = {"on": "item", "conversion_window_hours": 2, **({"click_window_hours": 1} if clicked else {})}
    labels = [Label(name="click"), Label(name="buy", parent="click")] if clicked else [Label(name="buy")]
    with pytest.raises(LogsError, match=rf"{told}.* are the same rows of events\.csv: say which rows are which with"):
        ingest(run_step, tmp_path, STREAMS | change | {"join": join}, labels)


def test_one_row_may_be_two_events_at_two_times(tmp_path: Path, run_step: Any) -> None:
    rows = "".join(f"a{i},{1000 + i},{5000 if i % 3 == 0 else ''}\n" for i in range(6))
    late = "".join(f"b{i},{300_000 + i},{305_000 if i == 1 else ''}\n" for i in range(4))
    (tmp_path / "clicks.csv").write_text(f"id,click_time,installed\n{rows}{late}")
    logs = {
        "impressions": {"files": "clicks.csv", "time": {"column": "click_time", "unit": "s"}},
        "conversions": {
            "files": "clicks.csv",
            "where": {"installed": "not_null"},
            "time": {"column": "installed", "unit": "s"},
            "label": "install",
        },
        "join": {"on": "id", "conversion_window_hours": 24},
        "split": SPLIT,
    }
    settings = LogSettings.model_validate(logs)
    outputs = run_step(LogExampleGen(settings, {"id": ExampleColumn()}, [Label(name="install")], str(tmp_path)))
    found = {row["id"][0]: row["install"][0] for split in ("train", "eval") for row in outputs.rows(split)}
    assert {name.decode() for name, label in found.items() if label} == {"a0", "a3", "b1"}
    assert len(found) == 10
