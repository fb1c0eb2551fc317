from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import tensorflow_data_validation as tfdv

from tandem.components.example_validator.accepted import KEPT, AcceptedStatistics, fingerprint

if TYPE_CHECKING:
    import pathlib

    from tensorflow_metadata.proto.v0 import statistics_pb2


def _of(*values: str | float) -> statistics_pb2.DatasetFeatureStatisticsList:
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame({"x": list(values)}))


def test_a_fingerprint_is_of_the_rows_not_of_their_order() -> None:
    assert fingerprint(_of("a", "b", "b")) == fingerprint(_of("b", "a", "b"))
    assert fingerprint(_of(1.0, 2.0)) == fingerprint(_of(2.0, 1.0))
    different = [_of("a", "b"), _of("a", "b", "b"), _of("a", "a", "b"), _of(1.0, 2.0), _of(1.0, 3.0)]
    assert len({fingerprint(each) for each in different}) == len(different)


def test_new_rows_are_compared_with_the_newest_and_old_ones_with_what_they_were_compared_with(
    tmp_path: pathlib.Path,
) -> None:
    store = AcceptedStatistics(str(tmp_path / "statistics"))
    first, second, third = _of("a"), _of("b"), _of("c")
    assert store.before(fingerprint(first)) is None
    assert not (tmp_path / "statistics").exists()
    for each in (first, second, second):
        store.accept(each)
    assert store.before(fingerprint(third)) == second
    assert not store.accepted(fingerprint(third))
    store.accept(third)
    assert store.before(fingerprint(third)) == second
    assert store.before(fingerprint(second)) == first
    assert store.before(fingerprint(first)) is None
    assert store.accepted(fingerprint(first))
    assert [path.name for path in sorted((tmp_path / "statistics").iterdir())] == [
        f"{number:06d}-{fingerprint(each)}.pb" for number, each in enumerate((first, second, third), start=1)
    ]


def test_the_folder_may_be_in_an_object_store() -> None:
    store = AcceptedStatistics("ram://accepted/statistics")
    first, second = _of("a"), _of("b")
    for each in (first, second):
        store.accept(each)
    assert store.accepted(fingerprint(first))
    assert store.before(fingerprint(second)) == first
    for number in range(KEPT):
        store.accept(_of(*["c"] * (number + 1)))
    assert not store.accepted(fingerprint(second))


def test_what_is_half_written_or_foreign_does_not_count(tmp_path: pathlib.Path) -> None:
    for name in (f".000009-0123456789abcdef.pb.{'0' * 32}", "000009-0123456789abcdef.pb.bak", "notes.txt"):
        (tmp_path / name).write_text("")
    assert AcceptedStatistics(str(tmp_path)).before("0" * 16) is None


def test_only_the_newest_are_kept(tmp_path: pathlib.Path) -> None:
    store = AcceptedStatistics(str(tmp_path))
    for number in range(KEPT + 3):
        store.accept(_of(*["a"] * (number + 1)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == KEPT
    assert names[0].startswith("000004-")
