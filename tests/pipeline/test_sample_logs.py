"""The sample logs are checked against a second reading of the files, and their truth against scikit-learn."""

import csv
import dataclasses
import gzip
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tandem.pipeline.sample_logs import (
    CLICK_WINDOW_HOURS,
    CONVERSION_WINDOW_HOURS,
    DAYS,
    EVAL_START,
    GENERATOR_VERSION,
    START,
    SampleTruth,
    StreamCounts,
    late_conversion_share,
    untidiness,
    write_sample_logs,
)

HOUR_MS = 3_600_000
START_MS = int(START.timestamp()) * 1000


@dataclasses.dataclass(frozen=True)
class Sample:
    folder: Path
    truth: SampleTruth
    probabilities: pd.DataFrame
    streams: dict[str, pd.DataFrame]
    malformed: dict[str, int]


def read_stream(folder: Path, name: str) -> tuple[pd.DataFrame, int]:
    """Returns the readable rows, and how many rows are not."""
    rows: list[list[str]] = []
    malformed = 0
    paths = sorted(folder.glob(f"{name}-*.csv.gz"))
    for path in paths:
        with gzip.open(path, "rt", newline="") as lines:
            header, *cells = csv.reader(lines)
        good = [row for row in cells if len(row) == len(header) and row[0].isdigit() and row[1].isdigit()]
        malformed += len(cells) - len(good)
        rows += good
    return pd.DataFrame(rows, columns=header).astype({"impression_id": "int64", "time_ms": "int64"}), malformed


def read_sample(folder: Path, truth: SampleTruth) -> Sample:
    read = {name: read_stream(folder, name) for name in ("impressions", "clicks", "carts", "conversions")}
    return Sample(
        folder,
        truth,
        pd.read_parquet(folder / "truth" / "probabilities.parquet"),
        {name: rows for name, (rows, _) in read.items()},
        {name: malformed for name, (_, malformed) in read.items()},
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample") / "logs"
    return read_sample(folder, write_sample_logs(folder, 20_000, seed=5, impressions_per_file=7_000))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def interrupt_after(calls: int) -> Callable[[int, int], None]:
    seen = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) > calls:
            raise KeyboardInterrupt

    return progress


# --- The same again ---------------------------------------------------------------------------------------------------


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    write_sample_logs(tmp_path / "a", 2_500, seed=3, impressions_per_file=1_000)
    write_sample_logs(tmp_path / "b", 2_500, seed=3, impressions_per_file=1_000)
    first = digests(tmp_path / "a")
    assert first == digests(tmp_path / "b")
    assert len(first) == 4 * 3 + 2 + 2 + 1  # three files a stream, side tables, truth, manifest


def test_the_logs_of_this_generator_version_have_not_changed(tmp_path: Path) -> None:
    # Folders written by earlier releases are reused. Whoever changes the logs on purpose raises GENERATOR_VERSION.
    write_sample_logs(tmp_path / "logs", 2_500, seed=11, impressions_per_file=1_000)
    total = hashlib.sha256()
    for path in sorted((tmp_path / "logs").glob("*.csv.gz")):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(gzip.decompress(path.read_bytes())).digest())
    assert GENERATOR_VERSION == 1
    assert total.hexdigest() == "85c5f230dde869ab3d88070d15cef6d08181f9406ce0861cb46c9437ef366168"


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    write_sample_logs(tmp_path / "a", 1_500, seed=3)
    write_sample_logs(tmp_path / "b", 1_500, seed=4)
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert a.keys() == b.keys()
    assert [name for name in a if a[name] == b[name]] == []


def test_files_are_reused_only_for_the_same_arguments(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    calls: list[tuple[int, int]] = []
    written = write_sample_logs(folder, 2_500, 1, lambda *call: calls.append(call), impressions_per_file=1_000)
    assert not written.reused
    assert calls == [(0, 2_500), (1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]
    before = digests(folder)

    again = write_sample_logs(folder, 2_500, 1, lambda *call: calls.append(call), impressions_per_file=1_000)
    assert again.reused
    assert repr(dataclasses.replace(again, reused=False)) == repr(written)  # repr: NaN is not equal to itself
    assert len(calls) == 4

    assert not write_sample_logs(folder, 2_500, 2, impressions_per_file=1_000).reused
    assert digests(folder) != before
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


@pytest.mark.parametrize("harm", ["missing", "short"])
def test_incomplete_files_are_written_again(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "logs"
    write_sample_logs(folder, 1_000)
    before = digests(folder)
    victim = folder / "clicks-00000.csv.gz"
    if harm == "missing":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-1])
    assert not write_sample_logs(folder, 1_000).reused
    assert digests(folder) == before


# --- Whole or not at all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files_done", [0, 1, 3])
def test_an_interrupt_leaves_nothing(tmp_path: Path, files_done: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_sample_logs(tmp_path / "logs", 3_000, progress=interrupt_after(files_done), impressions_per_file=1_000)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_earlier_logs_alone(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    write_sample_logs(folder, 1_000)
    before = digests(folder)
    with pytest.raises(KeyboardInterrupt):
        write_sample_logs(folder, 3_000, progress=interrupt_after(1), impressions_per_file=1_000)
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_a_failing_rename_brings_earlier_logs_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "logs"
    write_sample_logs(folder, 1_000)
    before = digests(folder)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError("disk trouble")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="disk trouble"):
        write_sample_logs(folder, 1_200)
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_foreign_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"holds thesis\.txt: not sample logs"):
        write_sample_logs(tmp_path, 1_000)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_look_alikes_without_manifest_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "users.csv.gz").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"without a manifest\.json"):
        write_sample_logs(tmp_path, 1_000)
    assert (tmp_path / "users.csv.gz").read_bytes() == b"mine"


def test_a_file_in_the_place_of_the_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file"):
        write_sample_logs(tmp_path / "logs", 1_000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"impressions": 999}, "impressions must be a whole number of at least 1000, got 999"),
        ({"impressions": 2e5}, "impressions must be a whole number of at least 1000, got 200000.0"),
        ({"impressions": True}, "impressions must be a whole number of at least 1000, got True"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"impressions_per_file": 10}, "impressions_per_file must be a whole number of at least 1000, got 10"),
    ],
)
def test_bad_arguments_are_quoted(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_sample_logs(tmp_path / "logs", **{"impressions": 1_000, **arguments})
    assert list(tmp_path.iterdir()) == []


# --- The rows add up --------------------------------------------------------------------------------------------------


def counted_again(sample: Sample) -> tuple[dict[str, StreamCounts], dict[str, set[int]]]:
    """Sorts the rows anew, with the windows and the impressions alone; returns the counts and the ids with label 1."""
    shown = sample.streams["impressions"].drop_duplicates("impression_id").set_index("impression_id").time_ms
    counts, ids = {}, {}
    rows = sample.streams["impressions"]
    counts["impressions"] = StreamCounts(
        len(rows) + sample.malformed["impressions"],
        len(shown),
        len(rows) - len(shown),
        0,
        0,
        0,
        sample.malformed["impressions"],
    )
    parent = shown
    late_parents: set[int] = set()
    for name, hours in (
        ("clicks", CLICK_WINDOW_HOURS),
        ("carts", CONVERSION_WINDOW_HOURS),
        ("conversions", CONVERSION_WINDOW_HOURS),
    ):
        rows = sample.streams[name]
        first = rows.sort_values("time_ms").drop_duplicates("impression_id").set_index("impression_id").time_ms
        known = first[first.index.isin(parent.index)]
        delay = known - parent[known.index]
        assert (delay > 0).all()
        late = set(delay.index[delay > hours * HOUR_MS])
        of_late = set(known.index) & late_parents - late
        ids[name] = set(known.index) - late - of_late
        counts[name] = StreamCounts(
            rows=len(rows) + sample.malformed[name],
            counted=len(ids[name]),
            repeated=len(rows) - len(first),
            late=len(late),
            late_parent=len(of_late),
            orphan=len(first) - len(known),
            malformed=sample.malformed[name],
        )
        if name == "clicks":
            parent, late_parents = first[first.index.isin(shown.index)], late
    return counts, ids


def test_counts_are_those_of_the_files(sample: Sample) -> None:
    counts, ids = counted_again(sample)
    assert counts == sample.truth.streams
    for label, stream in (("click", "clicks"), ("add_to_cart", "carts"), ("conversion", "conversions")):
        labelled = sample.probabilities.loc[sample.probabilities[label] == 1, "impression_id"]
        assert set(labelled) == ids[stream]
        assert sample.truth.positives[label] == len(ids[stream])


def test_kinds_of_a_stream_sum_to_its_rows(sample: Sample) -> None:
    for counts in sample.truth.streams.values():
        kinds = dataclasses.asdict(counts)
        assert kinds.pop("rows") == sum(kinds.values())


def test_every_kind_of_untidiness_is_there_and_rare(sample: Sample) -> None:
    streams = sample.truth.streams
    assert streams["impressions"].repeated == pytest.approx(200, abs=3)
    assert streams["impressions"].malformed > 0
    assert streams["clicks"].repeated > 0
    assert streams["clicks"].late > 0
    assert streams["clicks"].orphan > 0
    assert streams["conversions"].late > 0
    assert streams["carts"].orphan > 0
    for counts in streams.values():
        assert counts.malformed + counts.orphan + counts.late_parent < 0.05 * counts.rows


def test_malformed_lines_come_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(untidiness.MALFORMED, "impressions", 0.002)
    write_sample_logs(tmp_path / "logs", 3_000, impressions_per_file=1_000)
    bad = []
    for path in (tmp_path / "logs").glob("impressions-*"):
        with gzip.open(path, "rt") as lines:
            header, *rows = (line.rstrip("\n").split(",") for line in lines)
        bad += [row for row in rows if not (len(row) == len(header) and row[0].isdigit() and row[1].isdigit())]
    ways = {"cut" if len(row) == 1 else "no id" if row[0] == "" else row[1] for row in bad}
    assert ways == {"cut", "no id", "n/a"}


def test_repeated_rows_cross_files(sample: Sample) -> None:
    ids = []
    for path in sorted(sample.folder.glob("impressions-*")):
        with gzip.open(path, "rt") as lines:
            ids.append({line.split(",")[0] for line in lines} - {"impression_id", ""})
    assert len(ids) == 3
    assert len(ids[0] & ids[1]) > 10


def test_repeated_impressions_say_the_same(sample: Sample) -> None:
    assert not sample.streams["impressions"].drop_duplicates().impression_id.duplicated().any()


def test_a_conversion_has_a_cart_before_it(sample: Sample) -> None:
    counts, ids = counted_again(sample)
    assert ids["conversions"] <= ids["carts"]
    carts = sample.streams["carts"].drop_duplicates("impression_id").set_index("impression_id").time_ms
    bought = sample.streams["conversions"].drop_duplicates("impression_id").set_index("impression_id").time_ms
    bought = bought[list(ids["conversions"])]
    assert (carts[bought.index] < bought).all()
    assert counts["carts"].counted > 2 * counts["conversions"].counted


def test_event_names(sample: Sample) -> None:
    assert set(sample.streams["carts"].event) == {"add_to_cart"}
    assert set(sample.streams["conversions"].event) == {"conversion"}
    assert list(sample.streams["clicks"].columns) == ["impression_id", "time_ms"]


# --- Rates, times, skew -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rates(tmp_path: Path, seed: int) -> None:
    truth = write_sample_logs(tmp_path / "logs", 20_000, seed)
    assert 0.035 < truth.positives["click"] / 20_000 < 0.055
    assert 0.05 < truth.positives["conversion"] / truth.positives["click"] < 0.13  # about 85 conversions
    # The expected rate has no such noise.
    p = pd.read_parquet(tmp_path / "logs" / "truth" / "probabilities.parquet")
    assert 0.05 < (p.p_click * p.p_conversion_given_click).sum() / p.p_click.sum() < 0.105
    assert 0.76 < truth.best["click"].auc < 0.86
    assert 0.65 < truth.best["conversion_given_click"].auc < 0.92


def test_impressions_span_the_days_in_no_order(sample: Sample) -> None:
    times = sample.streams["impressions"].time_ms
    assert times.min() >= START_MS
    assert times.max() < START_MS + DAYS * 24 * HOUR_MS
    assert (times.diff() < 0).mean() > 0.4
    assert set((times - START_MS) // (24 * HOUR_MS)) == set(range(DAYS))
    by_hour = np.bincount(times // HOUR_MS % 24, minlength=24)
    assert by_hour.max() > 2.5 * by_hour.min()


def test_delays(tmp_path: Path) -> None:
    write_sample_logs(tmp_path / "logs", 20_000, seed=9)
    clicks = (
        read_stream(tmp_path / "logs", "clicks")[0].drop_duplicates("impression_id").set_index("impression_id").time_ms
    )
    shown = read_stream(tmp_path / "logs", "impressions")[0].drop_duplicates("impression_id")
    shown = shown.set_index("impression_id").time_ms
    clicks = clicks[clicks.index.isin(shown.index)]
    seconds = (clicks - shown[clicks.index]) / 1000
    assert 15 < seconds.median() < 27
    assert seconds.quantile(0.95) > 60
    bought = (
        read_stream(tmp_path / "logs", "conversions")[0].drop_duplicates("impression_id").set_index("impression_id")
    )
    bought = bought[bought.index.isin(clicks.index)].time_ms
    hours = (bought - clicks[bought.index]) / HOUR_MS
    assert hours.quantile(0.25) < 1.5
    assert hours.quantile(0.9) > 10
    assert hours.max() > 24


def test_late_conversion_share() -> None:
    # Median 8 h: ln(36/8)/0.6 = 2.507 deviations, 0.61% beyond. Median 48 h: -0.719, 76.4%. Median 0.7 h: 0.004%.
    assert late_conversion_share() == pytest.approx(0.41 * 0.0061 + 0.04 * 0.764, abs=2e-4)


@pytest.mark.parametrize(("column", "share"), [("user_id", 0.22), ("item_id", 0.28)])
def test_popularity_is_skewed(sample: Sample, column: str, share: float) -> None:
    counts = sample.streams["impressions"][column].value_counts(normalize=True)
    assert counts.iloc[: len(counts) // 10].sum() > share
    assert counts.iloc[0] < 0.1


def test_users_and_items_grow_slower_than_impressions(tmp_path: Path) -> None:
    small = write_sample_logs(tmp_path / "small", 2_000)
    large = write_sample_logs(tmp_path / "large", 20_000)
    assert small.users < large.users < 10 * small.users
    assert small.items < large.items < 10 * small.items
    assert large.users == round(0.25 * 20_000**0.8)


def test_side_tables_have_every_key_once(sample: Sample) -> None:
    for name, key, rows in (("users", "user_id", sample.truth.users), ("items", "item_id", sample.truth.items)):
        table = pd.read_csv(sample.folder / f"{name}.csv.gz", dtype=str, keep_default_na=False)
        assert len(table) == rows
        assert table[key].is_unique
        assert set(sample.streams["impressions"][key]) <= set(table[key])
        assert (table == "").any().any()
        assert not (table == "").all().any()


def test_items_have_several_tags_and_a_long_tail_of_prices(sample: Sample) -> None:
    items = pd.read_csv(sample.folder / "items.csv.gz")
    tags = items.tags.fillna("").map(lambda cell: [tag for tag in cell.split(",") if tag])
    assert {0, 1, 3} <= set(tags.map(len))
    assert all(len(set(row)) == len(row) for row in tags)
    assert items.price.max() > 5 * items.price.median()
    assert items.rating.dropna().between(1, 5).all()


# --- The truth --------------------------------------------------------------------------------------------------------


def test_truth_has_every_impression_once(sample: Sample) -> None:
    assert sample.probabilities.impression_id.is_unique
    assert set(sample.probabilities.impression_id) == set(sample.streams["impressions"].impression_id)
    shares = sample.probabilities.filter(like="p_")
    assert ((shares > 0) & (shares < 1)).all().all()
    assert sample.probabilities.alignment.between(-1, 1).all()


@pytest.mark.parametrize(
    ("probability", "label", "given_click"),
    [
        ("p_click", "click", False),
        ("p_add_to_cart_given_click", "add_to_cart", True),
        ("p_conversion_given_click", "conversion", True),
    ],
)
def test_probabilities_are_calibrated(sample: Sample, probability: str, label: str, given_click: bool) -> None:
    rows = sample.probabilities
    if given_click:
        rows = rows[rows.click == 1]
    # In thirds of the probability too, so that a right mean cannot hide a wrong slope.
    for part in (rows, *np.array_split(rows.sort_values(probability), 3)):
        p = part[probability]
        deviations = (part[label].sum() - p.sum()) / math.sqrt((p * (1 - p)).sum())
        assert abs(deviations) < 3.5


def per_user_auc(users: pd.Series, score: pd.Series, label: pd.Series) -> list[float]:
    rows = pd.DataFrame({"user": users.to_numpy(), "score": score.to_numpy(), "label": label.to_numpy()})
    return [roc_auc_score(u.label, u.score) for _, u in rows.groupby("user") if u.label.nunique() == 2]


@pytest.mark.parametrize("period", ["all", "eval"])
def test_best_reachable_equals_scikit_learn(sample: Sample, period: str) -> None:
    shown = sample.streams["impressions"].drop_duplicates("impression_id")
    rows = sample.probabilities.merge(shown, on="impression_id")
    best = sample.truth.best
    if period == "eval":
        rows, best = rows[rows.time_ms >= EVAL_START.timestamp() * 1000], sample.truth.eval_best
        assert sample.truth.eval_positives["click"] == rows.click.sum()
        assert sample.truth.eval_positives["conversion"] == rows.conversion.sum()
    clicked = rows[rows.click == 1]
    expected = {"click": (rows, rows.p_click, rows.click)}
    for task in ("add_to_cart", "conversion"):
        column = f"p_{task}_given_click"
        expected[f"{task}_given_click"] = (clicked, clicked[column], clicked[task])
        expected[f"click_and_{task}"] = (rows, rows.p_click * rows[column], rows[task])
    assert set(best) == set(expected)
    for output, (table, score, label) in expected.items():
        by_user = per_user_auc(table.user_id, score, label)
        assert best[output].auc == pytest.approx(roc_auc_score(label, score), abs=1e-9)
        assert best[output].gauc == pytest.approx(np.mean(by_user), abs=1e-9)
        assert best[output].users == len(by_user)


def test_summary_says_the_same(sample: Sample) -> None:
    summary = json.loads((sample.folder / "truth" / "summary.json").read_text())
    assert summary["streams"]["clicks"]["rows"] == sample.truth.streams["clicks"].rows
    assert summary["best"]["click"]["auc"] == sample.truth.best["click"].auc
    assert "reused" not in summary


def test_click_and_purchase_tastes_agree_here_and_oppose_there(sample: Sample) -> None:
    rows = sample.probabilities
    assert (rows.alignment > 0.7).mean() > 0.2
    assert (rows.alignment < -0.7).mean() > 0.1
    log_odds = rows[["p_click", "p_conversion_given_click"]].apply(lambda p: np.log(p / (1 - p)))

    def correlation(chosen: pd.Series) -> float:
        return log_odds[chosen].corr().iloc[0, 1]

    assert correlation(rows.alignment > 0.7) > correlation(rows.alignment < -0.7) + 0.3


def test_alignment_depends_on_segment_and_category_alone(sample: Sample) -> None:
    users = pd.read_csv(sample.folder / "users.csv.gz")
    items = pd.read_csv(sample.folder / "items.csv.gz")
    shown = sample.streams["impressions"].drop_duplicates("impression_id")
    rows = shown.merge(users, on="user_id").merge(items, on="item_id").merge(sample.probabilities, on="impression_id")
    cells = rows.groupby(["segment", "category"]).alignment
    assert (cells.nunique() == 1).all()
    assert cells.first().nunique() > 30


def test_features_explain_a_part_of_the_clicks(sample: Sample) -> None:
    users = pd.read_csv(sample.folder / "users.csv.gz")
    items = pd.read_csv(sample.folder / "items.csv.gz")
    shown = sample.streams["impressions"].drop_duplicates("impression_id")
    rows = shown.merge(users, on="user_id").merge(items, on="item_id").merge(sample.probabilities, on="impression_id")
    columns = ["device", "placement", "page", "position", "age_band", "segment", "membership", "category", "brand"]
    features = pd.get_dummies(rows[columns].fillna(""))
    train = rows.time_ms < EVAL_START.timestamp() * 1000
    model = LogisticRegression(C=0.1, solver="liblinear").fit(features[train], rows.click[train])
    learned = roc_auc_score(rows.click[~train], model.predict_proba(features[~train])[:, 1])
    assert 0.6 < learned < sample.truth.eval_best["click"].auc


def test_file_size_changes_neither_the_world_nor_the_rates(tmp_path: Path, sample: Sample) -> None:
    whole = write_sample_logs(tmp_path / "logs", 20_000, seed=5, impressions_per_file=20_000)
    assert [path.name for path in (tmp_path / "logs").glob("impressions-*")] == ["impressions-00000.csv.gz"]
    for name in ("users.csv.gz", "items.csv.gz"):
        assert (tmp_path / "logs" / name).read_bytes() == (sample.folder / name).read_bytes()
    counts, other = whole.streams["impressions"], sample.truth.streams["impressions"]
    assert counts.counted == other.counted == 20_000
    assert abs(counts.repeated - other.repeated) <= 3
    for label, rows in whole.positives.items():
        assert abs(rows - sample.truth.positives[label]) < 4 * math.sqrt(2 * rows)
    assert whole.best["click"].auc == pytest.approx(sample.truth.best["click"].auc, abs=0.03)
