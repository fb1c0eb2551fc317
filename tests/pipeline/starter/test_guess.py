import datetime

import numpy as np
import polars as pl
import pytest

from tandem.pipeline.configuration import config
from tandem.pipeline.starter.findings import CannotGuess, Sample
from tandem.pipeline.starter.guess import guess, user_column
from tandem.pipeline.starter.text import configuration

ROWS, DAYS = 400, 10
START = 1_709_251_200  # 2024-03-01
RANDOM = np.random.default_rng(3)


def texts(values):
    return [str(value) for value in values]


def sample(name, **columns):
    return Sample((f"{name}.csv",), pl.DataFrame({key: texts(values) for key, values in columns.items()}), (name,))


def times(rows=ROWS, per_second=1):
    return np.sort(RANDOM.integers(0, DAYS * 86_400, rows) + START) * per_second


def streams(key="impression_id", event=True):
    """Impressions with users and items, and every tenth clicked; half of the clicks converted."""
    users, items = RANDOM.integers(0, 40, ROWS), RANDOM.integers(0, 30, ROWS)
    common = {key: range(ROWS)} if key else {}
    impressions = {**common, "time_ms": times(per_second=1000), "user_id": users, "item_id": items}
    shown = {**impressions, "device": RANDOM.choice(["phone", "tv"], ROWS), "price": RANDOM.random(ROWS).round(3)}
    clicks = {name: list(values)[::10] for name, values in impressions.items()}
    orders = {name: values[::2] for name, values in clicks.items()}
    kinds = {"event": RANDOM.choice(["cart", "purchase"], len(orders["time_ms"]), p=[0.7, 0.3])} if event else {}
    return [
        sample("impressions", **shown),
        sample("clicks", **clicks),
        sample("orders", **orders, **kinds),
        sample("users", user_id=range(40), city=RANDOM.choice(["Oslo", "Rome"], 40)),
        sample("readme", text=["hello"]),
    ]


def loaded(found, tmp_path):
    """The configuration that comes of a guess, as a run would read it."""
    path = tmp_path / "shop.yaml"
    path.write_text(configuration("shop", "logs", found))
    return config.load(path)


def test_three_streams_and_a_table_about_users(tmp_path):
    found = guess(streams())
    assert list(found.streams) == ["impressions", "clicks", "conversions"]
    assert (found.on, found.unique) == (("impression_id",), True)
    assert found.event == ("event", ("cart", "purchase"))
    assert [(side.name, side.key) for side in found.sides] == [("users", "user_id")]
    assert [each.names for each in found.unused] == [("readme",)]
    settings = loaded(found, tmp_path)
    assert settings.logs.impressions.time.unit == "ms"
    assert settings.logs.join.on == ("impression_id",)
    assert [task.name for task in settings.tasks] == ["click", "cart", "purchase"]
    assert {feature.name: feature.kind for feature in settings.features} == {
        "user_id": "categorical",
        "item_id": "categorical",
        "device": "categorical",
        "price": "numeric",
        "city": "categorical",
        "hour": "categorical",
        "weekday": "categorical",
    }
    assert settings.evaluation.group_by == "user_id"


def test_the_split_leaves_both_parts_rows_and_the_gap_of_the_windows(tmp_path):
    settings = loaded(guess(streams()), tmp_path)
    train, judged = settings.logs.split.train, settings.logs.split.eval
    delay = settings.logs.label_delay
    assert judged.start - train.end >= delay > datetime.timedelta()
    first = datetime.datetime.fromtimestamp(START, datetime.timezone.utc)
    assert train.end - first > datetime.timedelta(days=4)
    final = first + datetime.timedelta(days=DAYS) - delay
    assert final - judged.start > datetime.timedelta(hours=12)


def test_without_ids_events_go_to_the_last_impression_of_user_and_item(tmp_path):
    found = guess(streams(key=None, event=False))
    assert (found.on, found.unique) == (("user_id", "item_id"), False)
    settings = loaded(found, tmp_path)
    assert settings.logs.join.attribution == "last_touch"
    assert [task.name for task in settings.tasks] == ["click", "conversion"]


def test_a_table_with_labels(tmp_path):
    clicked = RANDOM.random(ROWS) < 0.3
    bought = clicked & (RANDOM.random(ROWS) < 0.3)
    table = sample(
        "interactions",
        userId=RANDOM.integers(0, 40, ROWS),
        is_click=clicked.astype(int),
        **{"long view": bought.astype(int)},
        ts=times(),
        tags=RANDOM.choice(["a|b", "b", "a|c|b"], ROWS),
        constant=["x"] * ROWS,
    )
    found = guess([table])
    assert list(found.streams) == ["table"]
    assert tuple(label.name for label in found.labels) == ("is_click", "long view")
    settings = loaded(found, tmp_path)
    assert [(task.name, task.label, task.given) for task in settings.tasks] == [
        ("is_click", "is_click", None),
        ("long_view", "long view", "is_click"),
    ]
    assert {feature.name: feature.kind for feature in settings.features} == {
        "userId": "categorical",
        "tags": "bag",
        "hour": "categorical",
        "weekday": "categorical",
    }
    text = configuration("shop", "logs", found)
    assert "# - {name: constant}  # left out: it has one value" in text
    assert settings.evaluation.group_by == "userId"


def test_a_table_without_times_is_split_by_its_files(tmp_path):
    rows = pl.DataFrame({"user": texts(range(40)), "click": texts(RANDOM.integers(0, 2, 40)), "x": ["a", "b"] * 20})
    found = guess([Sample(("train.csv", "test.csv"), rows, ("train", "test"))])
    split = loaded(found, tmp_path).logs.split
    assert (split.train.files, split.eval.files) == (("train.csv",), ("test.csv",))


def test_names_that_yaml_would_read_otherwise_are_quoted(tmp_path):
    rows = pl.DataFrame(
        {"109_14": ["a", "b"] * 20, "on": ["x", "y"] * 20, "user": texts(range(40)), "click": ["0", "1"] * 20}
    )
    found = guess([Sample(("train.csv", "eval.csv"), rows, ("train", "eval"))])
    assert {feature.source for feature in loaded(found, tmp_path).features} == {"109_14", "on", "user"}


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([sample("things", a=["1", "2"])], "these are neither streams .* nor a table with labels .*: things: a"),
        ([sample("impressions", a=["1"])], "there are impressions, but no file called clicks"),
        (
            [sample("impressions", a=["1", "2"]), sample("clicks", b=["1", "2"])],
            "share no column that could be their key; the impressions have a",
        ),
    ],
)
def test_what_cannot_be_guessed_is_said(samples, message):
    with pytest.raises(CannotGuess, match=message):
        guess(samples)


def test_the_user_s_column():
    table = guess(streams()).main
    assert user_column(table) == "user_id"


def test_columns_that_count_on_are_one_entry(tmp_path):
    categories = {f"C{n}": RANDOM.choice(["a", "b"], ROWS) for n in range(8, 12)}
    numbers = {f"I{n}": RANDOM.random(ROWS) for n in (1, 2, 3, 5)}
    weighted = [f"a:{x:.1f}|b:{x:.1f}" for x in RANDOM.random(ROWS)]
    table = sample("table", time=times(), label=RANDOM.integers(0, 2, ROWS), **categories, **numbers, tags=weighted)
    found = guess([table])
    written = configuration("shop", "logs", found)
    assert [line.strip() for line in written.splitlines() if line.startswith("  - {name: ")][:4] == [
        "- {name: C8..C11, kind: categorical}",
        "- {name: I1..I3, kind: numeric, buckets: 16}",
        "- {name: I5, kind: numeric, buckets: 16}",
        '- {name: tags, kind: bag, separator: "|", weight_separator: ":", max_values: 8}',
    ]
    names = [feature.name for feature in loaded(found, tmp_path).features]
    assert names == [*categories, *numbers, "tags", "hour", "weekday"]
