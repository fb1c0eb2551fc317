"""Data sets of events: what comes of invented files of their shape, joined independently, row by row."""

import datetime
from collections import Counter

import numpy as np
import pytest

ROWS = 200
HOUR, DAY = 3600, 86_400


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def seconds(*when, zone=0):
    """Seconds since 1970 of a time of a zone that is so many hours ahead of UTC."""
    offset = datetime.timezone(datetime.timedelta(hours=zone))
    return int(datetime.datetime(*when, tzinfo=offset).timestamp())


def labelled(shown, events, window):
    """Sets labels: an event belongs to the latest impression of its key, at or before it and within the window.

    Args:
      shown: (time, key) of each impression, no two with the same.
      events: (time, key, label).
      window: Seconds.

    Returns:
      By impression, the labels that are 1.
    """
    found = {impression: set() for impression in shown}
    for time, key, label in events:
        before = [each for each in shown if each[1] == key and each[0] <= time]
        if before and time - max(before)[0] <= window:
            found[max(before)].add(label)
    return found


def drawn(rng, rows, first, last, *sizes):
    """Draws (time, key), no two with the same, in the order of time."""
    found = {}
    while len(found) < rows:
        key = tuple(int(rng.integers(1, size)) for size in sizes)
        found[(int(rng.integers(first, last)), key)] = None
    return sorted(found)


def followed(rng, shown, share, longest):
    """Draws (time, key) of events, some of them too late."""
    some = [each for each in shown if rng.random() < share]
    return [(time + int(rng.integers(1, longest)), key) for time, key in some]


def compared(found, labels, expected, columns, told, border, gap):
    """Compares the examples of both splits with impressions and their labels."""
    for split, inside in (("train", lambda time: time < border), ("eval", lambda time: time >= border + gap)):
        wanted = Counter(
            (*told(time, key), *(int(label in named) for label in labels))
            for (time, key), named in expected.items()
            if inside(time)
        )
        assert found.table(split, *columns, *labels) == wanted
        assert wanted
        assert any(row[-1] for row in wanted)


def test_diginetica(data, ingest, rng):
    border = seconds(2016, 5, 24)
    days = drawn(rng, ROWS, border // DAY - 20, border // DAY + 8, 25, 12)
    shown = [(day * DAY + int(rng.integers(0, 5000)), key) for day, key in days]
    bought = followed(rng, shown, 0.4, 2 * DAY)

    views = [
        f"{key[0]};{'NA' if key[0] % 3 else key[0]};{key[1]};{time % DAY * 1000};{day_of(time)}" for time, key in shown
    ]
    (data / "train-item-views.csv").write_text(
        "\n".join(["sessionId;userId;itemId;timeframe;eventdate", *views]) + "\n"
    )
    purchases = [f"{key[0]};NA;{time % DAY * 1000};{day_of(time)};{n};{key[1]}" for n, (time, key) in enumerate(bought)]
    head = "sessionId;userId;timeframe;eventdate;ordernumber;itemId"
    (data / "train-purchases.csv").write_text("\n".join([head, *purchases]) + "\n")
    products = [f'{n};{n / 4};"{n},{n + 1}"' for n in range(1, 12)]
    (data / "products.csv").write_text("\n".join(["itemId;pricelog2;product.name.tokens", *products]) + "\n")
    (data / "product-categories.csv").write_text(
        "itemId;categoryId\n" + "".join(f"{n};{n % 4}\n" for n in range(1, 12))
    )
    found = ingest("diginetica")
    expected = labelled(shown, [(*each, "buy") for each in bought], DAY)

    def told(_, key):
        session, item = key
        return str(session), None if session % 3 else str(session), str(item), str(item % 4), item / 4

    columns = ("sessionId", "userId", "itemId", "categoryId", "pricelog2")
    compared(found, ["buy"], expected, columns, told, border, DAY)


def day_of(time):
    return f"{datetime.datetime.fromtimestamp(time, datetime.timezone.utc):%Y-%m-%d}"


def test_user_behavior(data, ingest, rng):
    border = seconds(2017, 12, 1, zone=8)
    shown = drawn(rng, ROWS, border - 6 * DAY, border + 3 * DAY, 15, 12)
    events = [(*each, kind) for kind in ("fav", "cart", "buy") for each in followed(rng, shown, 0.2, int(1.3 * DAY))]
    lines = [f"{user},{item},{item % 5},pv,{time}" for time, (user, item) in shown]
    lines += [f"{user},{item},{item % 5},{kind},{time}" for time, (user, item), kind in events]
    (data / "UserBehavior.csv").write_text("\n".join(rng.permutation(lines)) + "\n")
    found = ingest("user_behavior")
    expected = labelled(shown, events, DAY)

    def told(time, key):
        return str(key[0]), str(key[1]), str(key[1] % 5), str((time + 8 * HOUR) // HOUR % 24)

    columns = ("user_id", "item_id", "category_id", "hour")
    compared(found, ["fav", "cart", "buy"], expected, columns, told, border, DAY)


def test_tmall(data, ingest, rng):
    border = seconds(2014, 7, 15, zone=8) // DAY
    shown = drawn(rng, ROWS, border - 60, border + 25, 15, 12)
    bought = followed(rng, shown, 0.5, 12)
    events = [(*each, kind) for kind, some in ((1, bought), (3, followed(rng, shown, 0.2, 12))) for each in some]
    lines = [
        f"{user},{brand},{kind},{month_day(day)}" for day, (user, brand), kind in [(*s, 0) for s in shown] + events
    ]
    (data / "t_alibaba_data.csv").write_text("user_id,brand_id,type,visit_datetime\n" + "\n".join(lines) + "\n")
    found = ingest("tmall")
    expected = labelled(shown, [(*each, "buy") for each in bought], 7)
    compared(found, ["buy"], expected, ("user_id", "brand_id"), lambda _, key: tuple(map(str, key)), border, 7)


def month_day(day):
    moment = datetime.datetime.fromtimestamp(day * DAY, datetime.timezone.utc) + datetime.timedelta(days=1)
    return f"{moment.month}-{moment.day}"


def test_yoochoose(data, ingest, rng):
    border = seconds(2014, 9, 22)
    shown = drawn(rng, ROWS, border - 9 * DAY, border + 5 * DAY, 30, 12)
    bought = followed(rng, shown, 0.3, int(1.3 * DAY))
    clicks = [f"{key[0]},{iso(time)},{key[1]},{'S' if key[1] % 2 else 0}" for time, key in shown]
    (data / "yoochoose-clicks.dat").write_text("\n".join(clicks) + "\n")
    (data / "yoochoose-buys.dat").write_text("".join(f"{k[0]},{iso(t)},{k[1]},{k[1] * 100},1\n" for t, k in bought))
    found = ingest("yoochoose")
    expected = labelled(shown, [(*each, "buy") for each in bought], DAY)

    def told(time, key):
        weekday = str((time // DAY + 3) % 7)  # 1970 began on a Thursday
        return str(key[0]), str(key[1]), "S" if key[1] % 2 else "0", str(time // HOUR % 24), weekday

    columns = ("session_id", "item_id", "category", "hour", "weekday")
    compared(found, ["buy"], expected, columns, told, border, DAY)


def iso(time):
    return f"{datetime.datetime.fromtimestamp(time, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}.314Z"


def test_ipinyou(data, ingest, rng):
    border = seconds(2013, 6, 11, zone=8)
    times = sorted(int(time) for time in rng.choice(np.arange(border - 4 * DAY, border + 2 * DAY), ROWS, replace=False))
    clicked = {n for n in range(ROWS) if rng.random() < 0.3}
    bought = {n for n in clicked if rng.random() < 0.5}

    def line(n, later, kind):
        local = datetime.datetime.fromtimestamp(times[n] + later + 8 * HOUR, datetime.timezone.utc)
        tags = "null" if n % 3 else f"{n % 5},{n % 7 + 10}"
        before = [
            f"bid{n}",
            f"{local:%Y%m%d%H%M%S}123",
            str(kind),
            f"user{n % 20}",
            'Mozilla/5.0 (compatible; "MSIE 9.0',
        ]
        return "\t".join([*before, "1.2.3.*", *(str(n % 9) for _ in range(17)), tags])

    for name, which, later, kind in (
        ("imp", range(ROWS), 0, 1),
        ("clk", sorted(clicked), 60, 2),
        ("conv", sorted(bought), 600, 3),
    ):
        (data / f"{name}.20130606.txt").write_text("".join(line(n, later, kind) + "\n" for n in which))
    found = ingest("ipinyou")
    for split, judged in (("train", False), ("eval", True)):
        expected = Counter()
        for n, time in enumerate(times):
            if (time >= border) == judged:
                tags = None if n % 3 else str([str(n % 5), str(n % 7 + 10)])
                hour = str((time + 8 * HOUR) // HOUR % 24)
                expected[f"user{n % 20}", tags, float(n % 9), hour, int(n in clicked), int(n in bought)] += 1
        rows = found.table(split, "ipinyouid", "adslotfloorprice", "hour", "click", "conversion")
        tags = Counter(str(row["usertags"]) if "usertags" in row else None for row in found.splits[split])
        assert rows == merged(expected, lambda row: (row[0], *row[2:]))
        assert tags == merged(expected, lambda row: row[1])


def merged(counter, key):
    total = Counter()
    for row, count in counter.items():
        total[key(row)] += count
    return total
