"""Logs as people have them: what `tandem init` says of them is valid, and finds its files and columns."""

import datetime
import random

import pytest

from tandem.pipeline.configuration import config
from tandem.pipeline.doctor import logs as doctor
from tandem.pipeline.starter import init

ROWS = 120
START = 1_512_000_000  # 2017-11-30


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    return tmp_path


@pytest.fixture
def draw():
    return random.Random(4)


def guessed(*files, look=doctor.logs):
    """The configuration that is written for files; it is sound, and doctor finds nothing wrong with the logs."""
    told = list(init.write("shop", files))
    loaded = config.load("shop.yaml")
    assert [check.text for check in look(loaded) if check.status == "fail"] == []
    return loaded, told


def test_no_header(here, draw):
    lines = []
    for _ in range(ROWS):
        numbers = [str(draw.choice([*range(60), 4000])) if draw.random() < 0.9 else "" for _ in range(3)]
        hashes = [f"{draw.randrange(30):08x}" for _ in range(2)]
        lines.append("\t".join([str(draw.randrange(2)), *numbers, *hashes]))
    (here / "day.txt").write_text("\n".join(lines) + "\n")
    loaded, told = guessed("day.txt")
    table = loaded.logs.table
    assert (table.format, table.delimiter) == ("csv", "\t")
    assert table.columns == ("label", "number_2", "number_3", "number_4", "category_5", "category_6")
    assert {feature.name: feature.kind for feature in loaded.features} == {
        **dict.fromkeys(table.columns[1:4], "numeric"),
        **dict.fromkeys(table.columns[4:], "categorical"),
    }
    assert loaded.evaluation.group_by is None
    assert loaded.logs.split.key is None
    assert [task.name for task in loaded.tasks] == ["label"]
    assert any("no header: the columns are called label, number_2" in line for line in told)


@pytest.mark.parametrize(
    ("kinds", "shown", "clicked", "events"),
    [
        (["view", "cart", "buy"], "view", None, {}),
        (["show", "click", "buy"], "show", "click", {}),
        (["0", "1", "2"], "0", None, {"1": "type_1", "2": "type_2"}),
    ],
)
def test_one_event_log(here, draw, kinds, shown, clicked, events):
    rows = [
        f"{draw.randrange(9)},{draw.randrange(9)},{draw.choices(kinds, [8, 2, 1])[0]},{START + n * 7000}"
        for n in range(ROWS)
    ]
    (here / "log.csv").write_text("user_id,item_id,type,time\n" + "\n".join(rows) + "\n")
    loaded, told = guessed("log.csv", look=doctor.data_files)  # what is drawn here follows upon nothing
    logs = loaded.logs
    assert str(logs.impressions.where["type"]) == str(logs.impressions.where["type"].model_validate({"equals": shown}))
    assert (logs.clicks is None) == (clicked is None)
    assert logs.conversions.event == "type"
    assert logs.conversions.events == events
    assert (logs.join.on, logs.join.attribution) == (("user_id", "item_id"), "last_touch")
    following = list(events.values()) or [kind for kind in kinds if kind not in (shown, clicked)]
    names = [*(["click"] if clicked else []), *following]
    assert {task.name for task in loaded.tasks} == set(names)
    assert {feature.name for feature in loaded.features} == {"user_id", "item_id", "hour", "weekday"}
    assert any("one log of events by 'type'" in line for line in told)


def test_one_event_log_without_a_header(here, draw):
    kinds = ["pv", "cart", "buy"]
    rows = [
        f"{draw.randrange(40)},{draw.randrange(50) + 200},{draw.randrange(3)},{draw.choices(kinds, [8, 2, 1])[0]},"
        f"{START + n * 7000}"
        for n in range(ROWS)
    ]
    (here / "UserBehavior.csv").write_text("\n".join(rows) + "\n")
    loaded, _ = guessed("UserBehavior.csv", look=doctor.data_files)
    assert loaded.logs.impressions.columns == ("category_1", "category_2", "category_3", "event", "time")
    assert loaded.logs.join.on == ("category_1", "category_2")
    assert loaded.logs.impressions.time.unit == "s"
    assert {task.name for task in loaded.tasks} == {"cart", "buy"}


@pytest.mark.parametrize(
    ("column", "values", "label", "positive"),
    [
        ("rating", ["1", "2", "3", "4", "5"], "like", ">=4"),
        ("score", ["2", "6", "10"], "like", ">=8"),
        ("buys", ["0", "1", "2", "3"], "buys", ">0"),
        ("label", ["- 50000.", "- 50000.", "50000+."], "label", ("50000+.",)),
    ],
)
def test_labels_that_are_no_answers(here, draw, column, values, label, positive):
    rows = [f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.choice(values)},{START + n * 7000}" for n in range(ROWS)]
    (here / "log.csv").write_text(f"user_id,item_id,{column},time\n" + "\n".join(rows) + "\n")
    loaded, told = guessed("log.csv")
    said = loaded.logs.table.labels[label]
    assert said.column == column
    assert said.positive == ((positive,) if isinstance(positive, str) else positive)
    assert [task.name for task in loaded.tasks] == [label]
    assert column not in {feature.source for feature in loaded.features}
    assert any(f"labels: {label} (where {column} is" in line for line in told)


@pytest.mark.parametrize("answers", ["01", "ft", ["no", "yes"], ["0.0", "1.0"]])
def test_answers_need_no_words(here, draw, answers):
    rows = [f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.choice(answers)},{START + n * 7000}" for n in range(ROWS)]
    (here / "log.csv").write_text("user_id,item_id,click,time\n" + "\n".join(rows) + "\n")
    loaded, _ = guessed("log.csv")
    assert loaded.logs.table.labels == {}


@pytest.mark.parametrize(
    ("answers", "said"), [(["-1", "1"], {"negative": ("-1",)}), (["", "1", "1", "1"], {"empty": "negative"})]
)
def test_answers_that_need_words(here, draw, answers, said):
    rows = [f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.choice(answers)},{START + n * 7000}" for n in range(ROWS)]
    (here / "log.csv").write_text("user_id,item_id,click,time\n" + "\n".join(rows) + "\n")
    loaded, _ = guessed("log.csv")
    assert loaded.logs.table.labels["click"].model_dump(exclude_defaults=True) == said


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%y%m%d%H", "%y%m%d%H"),
        ("%Y%m%d%H%M%S", "%Y%m%d%H%M%S"),
        ("%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M"),
        ("%d/%b/%Y:%H:%M:%S +0000", "apache"),
        ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M:%S %p"),
        ("%m-%d", "%m-%d"),
    ],
)
def test_times_of_other_formats(here, draw, pattern, expected):
    rows = []
    for n in range(ROWS):
        moment = datetime.datetime.fromtimestamp(START + n * 20_000, datetime.timezone.utc)
        rows.append(f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.randrange(2)},{moment.strftime(pattern)}")
    (here / "log.csv").write_text("user_id,item_id,click,time\n" + "\n".join(rows) + "\n")
    loaded, told = guessed("log.csv")
    assert loaded.logs.table.time.format == expected
    assert loaded.logs.split.train.end is not None
    assert f"  table: log.csv, time: time ({expected})" in told


def test_decimal_commas_and_words_for_nothing(here, draw):
    prices = ["1,5", "12,25", "\\N"]
    rows = [
        f"u{draw.randrange(9)};i{n % 9};{draw.randrange(2)};{draw.choice(prices)};{START + n * 7000}"
        for n in range(ROWS)
    ]
    (here / "log.csv").write_text("user_id;item_id;click;price;time\n" + "\n".join(rows) + "\n")
    loaded, _ = guessed("log.csv")
    assert (loaded.logs.table.delimiter, loaded.logs.table.decimal) == (";", ",")
    assert {feature.name: feature.kind for feature in loaded.features}["price"] == "numeric"


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (['"1,000"', '"12,345"', '"1,037"'], {"thousands": ","}),
        (["$12", "$9.5"], {"strip": "$"}),
        (['"1.234,5"', '"12,5"'], {"decimal": ",", "thousands": "."}),
    ],
)
def test_numbers_as_people_write_them(here, draw, prices, said):
    rows = [
        f"u{draw.randrange(9)},i{n % 9},{draw.randrange(2)},{START + n * 7000},{draw.choice(prices)}"
        for n in range(ROWS)
    ]
    (here / "log.csv").write_text("user_id,item_id,click,time,price\n" + "\n".join(rows) + "\n")
    loaded, _ = guessed("log.csv")
    marks = {name: getattr(loaded.logs.table, name) for name in ("decimal", "thousands", "strip")}
    assert marks == {"decimal": ".", "thousands": None, "strip": "", **said}
    assert {feature.name: feature.kind for feature in loaded.features}["price"] != "bag"


def test_without_times_users_are_divided(here, draw):
    rows = [f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.randrange(2)}" for _ in range(ROWS)]
    (here / "log.csv").write_text("user_id,item_id,click\n" + "\n".join(rows) + "\n")
    split = guessed("log.csv")[0].logs.split
    assert (split.key, split.train.share, split.eval.share) == ("user_id", 0.8, 0.2)


def test_files_that_are_called_by_what_they_are_for(here, draw):
    for part in ("train", "valid", "test"):
        rows = [f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.randrange(2)}" for _ in range(ROWS)]
        (here / f"{part}_sample.csv").write_text("user_id,item_id,click\n" + "\n".join(rows) + "\n")
    split = guessed("train_sample.csv", "valid_sample.csv", "test_sample.csv")[0].logs.split
    files = {name: period.files for name, period in split.periods().items()}
    assert files == {"train": ("train_sample.csv",), "validation": ("valid_sample.csv",), "eval": ("test_sample.csv",)}


def test_seconds_since_the_logs_began(here, draw):
    rows = [f"{n * 20_000},u{draw.randrange(9)},i{draw.randrange(9)},{draw.randrange(2)}" for n in range(ROWS)]
    (here / "log.csv").write_text("timestamp,user_id,item_id,click\n" + "\n".join(rows) + "\n")
    time = guessed("log.csv")[0].logs.table.time
    assert (time.unit, time.origin.year) == ("s", 2020)


def test_views_and_purchases_without_clicks(here, draw):
    views = [(draw.randrange(20), draw.randrange(9), START + n * 7000) for n in range(ROWS)]
    text = "".join(f"{session};NA;{item};{time}\n" for session, item, time in views)
    (here / "train-item-views.csv").write_text("sessionId;userId;itemId;time\n" + text)
    text = "".join(f"{session};NA;{item};{time + 60}\n" for session, item, time in views[::3])
    (here / "train-purchases.csv").write_text("sessionId;userId;itemId;time\n" + text)
    logs = guessed("train-item-views.csv", "train-purchases.csv")[0].logs
    assert logs.clicks is None
    assert (logs.join.on, logs.conversions.label) == (("sessionId", "itemId"), "conversion")
    assert logs.join.click_window_hours is None


def test_clicks_and_purchases_without_impressions_and_headers(here, draw):
    clicks = [(draw.randrange(30), draw.randrange(9) + 214_000_000, START + n * 7000) for n in range(ROWS)]
    moment = "{:%Y-%m-%dT%H:%M:%S}.314Z".format
    told = [(s, i, moment(datetime.datetime.fromtimestamp(t, datetime.timezone.utc))) for s, i, t in clicks]
    (here / "shop-clicks.dat").write_text("".join(f"{s},{t},{i},0\n" for s, i, t in told))
    (here / "shop-buys.dat").write_text(
        "".join(f"{s},{t},{i},1{n % 7}5.5,1\n" for n, (s, i, t) in enumerate(told[::3]))
    )
    loaded, lines = guessed("shop-clicks.dat", "shop-buys.dat")
    assert loaded.logs.impressions.columns == ("category_1", "time", "category_3", "category_4")
    assert loaded.logs.conversions.columns == ("category_1", "time", "category_3", "number_4", "category_5")
    assert loaded.logs.join.on == ("category_1", "category_3")
    assert [task.name for task in loaded.tasks] == ["conversion"]
    assert "  impressions: shop-clicks.dat, time: time (iso8601)" in lines


def test_streams_without_headers_have_the_same_names(here, draw):
    """What is in a column shows best where there are most rows: of one conversion, little is known."""
    shown = [(f"bid{n}", START + n * 7000, draw.randrange(9), draw.randrange(300)) for n in range(ROWS)]
    for name, rows in (("imp", shown), ("clk", shown[::5]), ("conv", shown[5:90:40])):
        text = "".join(f"{key}\t{time}\t{place}\tuser{user}\n" for key, time, place, user in rows)
        (here / f"{name}.20130606.txt").write_text(text)
    loaded, _ = guessed("imp.20130606.txt", "clk.20130606.txt", "conv.20130606.txt")
    streams = (loaded.logs.impressions, loaded.logs.clicks, loaded.logs.conversions)
    assert {each.columns for each in streams} == {("category_1", "time", "category_3", "category_4")}
    assert (loaded.logs.join.on, loaded.logs.join.attribution) == (("category_1",), "impression_id")


def test_tables_without_headers_are_joined_by_what_is_in_them(here, draw):
    rows = [f"{n},{draw.randrange(2)},key{draw.randrange(20)},{draw.randrange(5)}" for n in range(ROWS)]
    (here / "train.csv").write_text("\n".join(rows[:80]) + "\n")
    (here / "test.csv").write_text("\n".join(rows[80:]) + "\n")
    (here / "common.csv").write_text("".join(f"key{n},a{n % 3}|b\n" for n in range(20)))
    loaded, told = guessed("train.csv", "test.csv", "common.csv")
    assert loaded.logs.side_tables == ()
    assert "  not used: common.csv" in told


def test_a_file_without_names_and_labels_is_not_guessed(here):
    (here / "census.data").write_text("".join(f"{n}, Private,{n % 7}\n" for n in range(ROWS)))
    with pytest.raises(ValueError, match="census: 3 columns without names; give the file a first row that names them"):
        list(init.write("shop", ["census.data"]))


def test_a_label_that_the_sample_never_shows(here, draw):
    rows = [f"{draw.randrange(9)},{draw.randrange(9)},2017-11-0{n % 3 + 6} {n % 24}:04,0" for n in range(ROWS)]
    (here / "clicks.csv").write_text("ip,app,click_time,is_attributed\n" + "\n".join(rows) + "\n")
    assert [task.label for task in guessed("clicks.csv", look=doctor.data_files)[0].tasks] == ["is_attributed"]


def test_days_have_no_hours(here, draw):
    rows = [
        f"u{draw.randrange(9)},i{draw.randrange(9)},{draw.randrange(2)},2026-01-{n // 6 + 1:02d}" for n in range(ROWS)
    ]
    (here / "log.csv").write_text("user_id,item_id,click,day\n" + "\n".join(rows) + "\n")
    assert guessed("log.csv")[0].logs.derived == {"weekday": "day_of_week"}
