"""Data sets whose rows carry their labels: what comes of invented files of their shape, counted independently."""

import gzip
from collections import Counter

import numpy as np
import polars as pl
import pytest

ROWS = 200


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def ids(rng, letter, most, rows=ROWS):
    return [f"{letter}{n}" for n in rng.integers(0, most, rows)]


def test_talkingdata(data, ingest, rng):
    times = [f"2017-11-{7 + n * 3 // ROWS:02d} {n % 24:02d}:{n % 60:02d}:00" for n in range(ROWS)]
    installed = rng.integers(0, 2, ROWS)
    log = pl.DataFrame(
        {
            "ip": rng.integers(1, 30, ROWS),
            **{name: rng.integers(1, 9, ROWS) for name in ("app", "device", "os", "channel")},
            "click_time": times,
            "attributed_time": ["2017-11-10 00:00:00" if n else "" for n in installed],
            "is_attributed": installed,
        }
    )
    log.write_csv(data / "train.csv")
    found = ingest("talkingdata")
    judging = log.filter(pl.col("click_time") >= "2017-11-09")
    for split, expected in (("eval", judging), ("train", log.filter(pl.col("click_time") < "2017-11-09"))):
        hours = expected["click_time"].str.slice(11, 2).cast(pl.Int64).cast(pl.String)
        rows = zip(expected["ip"].cast(pl.String), hours, expected["is_attributed"], strict=True)
        assert found.table(split, "ip", "hour", "is_attributed") == Counter(rows)


def test_taobao_ads(data, ingest, rng):
    start = 1_494_000_000  # 2017-05-06 00:00 in Shanghai
    log = pl.DataFrame(
        {
            "user": rng.integers(1, 30, ROWS),
            "time_stamp": start + np.arange(ROWS) * (8 * 86_400 // ROWS),
            "adgroup_id": rng.integers(1, 20, ROWS),
            "pid": ["430548_1007"] * ROWS,
            "nonclk": rng.integers(0, 2, ROWS),
        }
    ).with_columns(clk=1 - pl.col("nonclk"))
    log.write_csv(data / "raw_sample.csv")
    ads = pl.DataFrame(
        {
            "adgroup_id": np.arange(1, 20),
            **{name: np.arange(19) % 5 for name in ("cate_id", "campaign_id", "customer")},
            "brand": ["NULL" if n % 2 else str(n) for n in range(19)],
            "price": np.arange(19) * 1.5,
        }
    )
    ads.write_csv(data / "ad_feature.csv")
    names = ["cms_segid", "cms_group_id", "final_gender_code", "age_level", "pvalue_level", "shopping_level"]
    names += ["occupation", "new_user_class_level "]
    users = pl.DataFrame({"userid": np.arange(1, 25), **{name: np.arange(24) % 4 for name in names}})
    users.write_csv(data / "user_profile.csv")
    found = ingest("taobao_ads")
    joined = log.join(ads, on="adgroup_id", how="left").join(users, left_on="user", right_on="userid", how="left")
    last_day = start + 7 * 86_400
    for split, expected in (
        ("train", joined.filter(pl.col("time_stamp") < last_day)),
        ("eval", joined.filter(pl.col("time_stamp") >= last_day)),
    ):
        wanted = Counter(
            (
                str(row["user"]),
                None if row["brand"] == "NULL" else row["brand"],
                row["price"],
                None if row["new_user_class_level "] is None else str(row["new_user_class_level "]),
                str((row["time_stamp"] - start) // 3600 % 24),
                row["clk"],
            )
            for row in expected.iter_rows(named=True)
        )
        assert found.table(split, "userid", "brand", "price", "new_user_class_level", "hour", "clk") == wanted


def test_aliccp(data, ingest, rng):
    names = ["101", "121", "122", "124", "125", "126", "127", "128", "129", "205", "206", "207", "210", "216", "508"]
    names += ["509", "702", "853", "301", "109_14", "110_14", "127_14", "150_14"]
    numbers = ["D109_14", "D110_14", "D127_14", "D150_14", "D508", "D509", "D702", "D853"]
    parts = {}
    for part in ("train", "val", "test"):
        click = rng.integers(0, 2, ROWS)
        parts[part] = pl.DataFrame(
            {
                "click": click,
                "purchase": click * rng.integers(0, 2, ROWS),
                **{name: rng.integers(0, 50, ROWS) for name in names},
                **{name: rng.random(ROWS).round(4) for name in numbers},
            }
        )
        parts[part].write_csv(data / f"aliccp_{part}.csv")
    found = ingest("aliccp")
    for split, part in {"train": "train", "validation": "val", "eval": "test"}.items():
        columns = [pl.col("101", "109_14").cast(pl.String), pl.col("click", "purchase")]
        assert found.table(split, "101", "109_14", "click", "purchase") == Counter(parts[part].select(columns).rows())


def test_aliccp_raw(data, ingest, rng):
    parts = {}
    for part in ("train", "test"):
        click = rng.integers(0, 2, ROWS)
        bought = click * rng.integers(0, 2, ROWS)
        common = [f"{part}{n}" for n in rng.integers(0, 20, ROWS)]
        parts[part] = Counter()
        lines = []
        for n in range(ROWS):
            features = [f"205\x02{n % 7}\x031.0", f"508\x02{n % 3}\x03{n % 5}.5"]
            lines.append(f"{n},{click[n]},{bought[n]},{common[n]},{len(features)},{chr(1).join(features)}")
            known = int(common[n].removeprefix(part)) < 15
            row = (str(features), f"101\x02{common[n]}\x031.0" if known else None, int(click[n]), int(bought[n]))
            parts[part][row] += 1
        (data / f"sample_skeleton_{part}.csv").write_text("\n".join(lines) + "\n")
        known_lines = [f"{part}{n},1,101\x02{part}{n}\x031.0" for n in range(15)]
        (data / f"common_features_{part}.csv").write_text("\n".join(known_lines) + "\n")
    found = ingest("aliccp_raw")
    for split, part in {"train": "train", "eval": "test"}.items():
        rows = found.table(split, "common_features", "click", "purchase")
        assert rows == sum_over(parts[part], lambda row: row[1:])
        assert Counter(str(row["features"]) for row in found.splits[split]) == sum_over(parts[part], lambda row: row[0])


def sum_over(counter, key):
    total = Counter()
    for row, count in counter.items():
        total[key(row)] += count
    return total


def test_mind(data, ingest, rng):
    log = pl.DataFrame(
        {
            "User_ID": ids(rng, "U", 60),
            "News_ID": ids(rng, "N", 20),
            "label": rng.integers(0, 2, ROWS),
            "Category": ids(rng, "c", 5),
            "SubCategory": ids(rng, "s", 9),
        }
    )
    log.write_csv(data / "all.csv")
    found = ingest("mind")
    columns = ["User_ID", "News_ID", "label", "SubCategory"]
    together = found.table("train", *columns) + found.table("eval", *columns)
    assert together == Counter(log.select(columns).rows())
    users = {split: {row["User_ID"] for row in rows} for split, rows in found.splits.items()}
    assert not users["train"] & users["eval"]
    assert len(users["train"]) > len(users["eval"]) > 0


def test_movielens(data, ingest, rng):
    border = 975_628_800  # 2000-12-01
    users = {n: ("F" if n % 2 else "M", 18 + n, n % 20, "98107") for n in range(1, 31)}
    films = {n: (f"Amélie, {n} (2001)", "Comedy|Drama" if n % 2 else "Action") for n in range(1, 21)}
    rows = [
        (int(rng.integers(1, 31)), int(rng.integers(1, 21)), int(rng.integers(1, 6)), border + 5000 * (n - 150))
        for n in range(ROWS)
    ]
    (data / "ratings.dat").write_text("".join("::".join(map(str, row)) + "\n" for row in rows))
    (data / "users.dat").write_text("".join("::".join(map(str, (n, *some))) + "\n" for n, some in users.items()))
    (data / "movies.dat").write_bytes(
        "".join("::".join(map(str, (n, *some))) + "\n" for n, some in films.items()).encode("latin-1")
    )
    found = ingest("movielens")
    for split, judged in (("train", False), ("eval", True)):
        expected = Counter(
            (str(user), str(film), users[user][0], str(films[film][1].split("|")), int(rating >= 4))
            for user, film, rating, time in rows
            if (time >= border) == judged
        )
        told = Counter(
            (row["user_id"], row["movie_id"], row["gender"], str(np.atleast_1d(row["genres"]).tolist()), row["like"])
            for row in found.splits[split]
        )
        assert told == expected


def test_avazu(data, ingest, rng):
    hours = [f"1410{21 + n * 10 // ROWS}{n % 24:02d}" for n in range(ROWS)]
    names = ["C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category"]
    names += ["device_id", "device_ip", "device_model", "device_type", "device_conn_type"]
    log = pl.DataFrame(
        {
            "id": np.arange(ROWS),
            "click": rng.integers(0, 2, ROWS),
            "hour": hours,
            **{name: rng.integers(0, 9, ROWS) for name in (*names, *(f"C{n}" for n in range(14, 22)))},
        }
    )
    (data / "train.gz").write_bytes(gzip.compress(log.write_csv().encode()))
    found = ingest("avazu")
    for split, judged in (("train", False), ("eval", True)):
        expected = Counter(
            (str(int(hour[6:])), str((int(hour[4:6]) - 20) % 7), str(device), str(last), click)
            for hour, device, last, click in log.select("hour", "device_ip", "C21", "click").iter_rows()
            if (hour >= "14103000") == judged
        )
        assert found.table(split, "hour_of_day", "day_of_week", "device_ip", "C21", "click") == expected


def criteo_lines(rng, rows):
    """40 cells, tabs between them, some empty; a quote is a character like any other."""
    lines = []
    for _ in range(rows):
        numbers = [str(n) if n >= 0 else "" for n in rng.integers(-3, 90, 13)]
        categories = [f'{n:08x}"' if n % 5 else "" for n in rng.integers(0, 40, 26)]
        lines.append([str(rng.integers(0, 2)), *numbers, *categories])
    return lines


def criteo_table(lines):
    return Counter((int(cells[0]), float(cells[13]) if cells[13] else None, cells[39] or None) for cells in lines)


def test_criteo(data, ingest, rng):
    lines = criteo_lines(rng, ROWS)
    (data / "train.txt").write_text("".join("\t".join(cells) + "\n" for cells in lines))
    found = ingest("criteo")
    tables = {split: found.table(split, "label", "I13", "C26") for split in found.splits}
    assert tables["train"] + tables["validation"] + tables["eval"] == criteo_table(lines)
    assert tables["train"].total() > 2 * tables["validation"].total() > 0
    assert tables["eval"].total() > 0


def test_criteo_terabyte(data, ingest, rng):
    days = {}
    for day in range(24):
        days[day] = criteo_lines(rng, 9)
        text = "".join("\t".join(cells) + "\n" for cells in days[day])
        (data / f"day_{day}.gz").write_bytes(gzip.compress(text.encode()))
    found = ingest("criteo_terabyte")
    assert found.table("eval", "label", "I13", "C26") == criteo_table(days[23])
    rest = [cells for day in range(23) for cells in days[day]]
    assert found.table("train", "label", "I13", "C26") == criteo_table(rest)


def test_criteo_attribution(data, ingest, rng):
    log = pl.DataFrame(
        {
            "timestamp": np.arange(ROWS) * (30 * 86_400 // ROWS),
            "uid": rng.integers(0, 40, ROWS),
            "campaign": rng.integers(0, 9, ROWS),
            "conversion": rng.integers(0, 2, ROWS),
            **dict.fromkeys(("conversion_timestamp", "conversion_id", "attribution"), -1),
            "click": rng.integers(0, 2, ROWS),
            **dict.fromkeys(("click_pos", "click_nb"), -1),
            **{name: rng.random(ROWS).round(3) for name in ("cost", "cpo", "time_since_last_click")},
            **{f"cat{n}": rng.integers(0, 9, ROWS) for n in range(1, 10)},
        }
    )
    text = log.write_csv(separator="\t")
    (data / "criteo_attribution_dataset.tsv.gz").write_bytes(gzip.compress(text.encode()))
    found = ingest("criteo_attribution")
    for split, judged in (("train", False), ("eval", True)):
        rows = log.filter((pl.col("timestamp") >= 24 * 86_400) == judged)
        expected = Counter(
            (str(row["uid"]), str(row["cat9"]), str(row["timestamp"] // 3600 % 24), row["click"], row["conversion"])
            for row in rows.iter_rows(named=True)
        )
        assert found.table(split, "uid", "cat9", "hour", "click", "conversion") == expected
