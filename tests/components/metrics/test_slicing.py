from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.metrics.slice_key import slice_text
from tandem.components.metrics.slicing import Column, Sliced, bucket_names, crossed


def _column(cells: list[list], dtype: type = object) -> Column:
    values = np.empty(sum(map(len, cells)), dtype)
    values[:] = [value for cell in cells for value in cell]
    return Column(values, np.array([len(cell) for cell in cells], np.int64))


def _rows_of(sliced: Sliced) -> dict:
    found = {key: sliced.rows[sliced.codes == code].tolist() for code, key in enumerate(sliced.keys)}
    return {key: rows for key, rows in found.items() if rows}


def _slices(columns: dict[str, Column], *names: str) -> dict:
    by_name = {name: column.sliced(name) for name, column in columns.items()}
    return _rows_of(crossed(by_name, names, len(columns[names[0]].counts)))


def test_missing_values_and_several_in_a_row() -> None:
    tags = _column([[b"a"], [], [b"b", b"a"], [b"b", b"b"]])
    assert _slices({"tags": tags}, "tags") == {
        (("tags", "a"),): [0, 2],
        (("tags", "b"),): [2, 3],
        (("tags", "(missing)"),): [1],
    }


def test_integers_stay_integers() -> None:
    assert _slices({"city": _column([[7], [3], [7]], np.int64)}, "city") == {
        (("city", 7),): [0, 2],
        (("city", 3),): [1],
    }


def test_a_column_that_no_row_has() -> None:
    assert _slices({"city": _column([[], []])}, "city") == {(("city", "(missing)"),): [0, 1]}


def test_crossing_pairs_every_value_with_every_other() -> None:
    columns = {"device": _column([[b"p"], [b"t"], []]), "city": _column([[1, 2], [], [1]], np.int64)}
    assert _slices(columns, "device", "city") == {
        (("city", 1), ("device", "p")): [0],
        (("city", 2), ("device", "p")): [0],
        (("city", "(missing)"), ("device", "t")): [1],
        (("city", 1), ("device", "(missing)")): [2],
    }


def test_text_that_is_not_utf8_has_a_readable_name() -> None:
    assert _slices({"x": _column([[b"\xff\xe9"]])}, "x") == {(("x", "\\xff\\xe9"),): [0]}


_CELLS = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=3)


@given(rows=st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=1, max_size=12), width=st.integers(1, 3))
def test_equals_a_loop_over_rows(rows: list[tuple[list, ...]], width: int) -> None:
    names = ("x", "y", "z")[:width]
    columns = {name: _column([row[position] for row in rows]) for position, name in enumerate(names)}
    expected: dict = {}
    for number, row in enumerate(rows):
        cells = [{value.decode() for value in cell} or {"(missing)"} for cell in row[:width]]
        for values in itertools.product(*cells):
            expected.setdefault(tuple(zip(names, values, strict=True)), []).append(number)
    assert _slices(columns, *names) == expected


@given(
    rows=st.lists(_CELLS, min_size=1, max_size=12),
    more=st.lists(_CELLS, min_size=1, max_size=12),
    index=st.lists(st.integers(0, 1), min_size=24, max_size=24),
)
def test_taken_and_put_together_as_their_columns_are(rows: list, more: list, index: list) -> None:
    whole = _column(rows + more).sliced("x")
    joined = Sliced.concatenate([_column(rows).sliced("x"), _column(more).sliced("x")])
    assert _rows_of(joined) == _rows_of(whole)
    chosen = [row for row, take in enumerate(index[: len(rows + more)]) if take]
    expected = _rows_of(_column([(rows + more)[row] for row in chosen]).sliced("x")) if chosen else {}
    assert _rows_of(whole.take(np.array(chosen, np.int64)).compact()) == expected


def test_many_slices_keep_what_is_used() -> None:
    sliced = _column([[number] for number in range(300)], np.int64).sliced("x").take(np.array([7, 299]))
    assert sliced.keys == ((("x", 7),), (("x", 299),))


def test_buckets_by_hand() -> None:
    assert bucket_names([0.5]) == ["<0.5", ">=0.5"]
    price = Column(np.array([9.5, 10, 49.9, 50, np.nan, 1, 60]), np.array([1, 1, 1, 1, 1, 0, 2]))
    assert _rows_of(price.sliced("price", (10, 50))) == {
        (("price", "<10"),): [0, 6],
        (("price", "10..50"),): [1, 2],
        (("price", ">=50"),): [3, 6],
        (("price", "(missing)"),): [4, 5],
    }


def test_rows_below_one_another_whatever_the_types() -> None:
    joined = Column.concatenate([_column([[], []]), _column([[4], []], np.int64), _column([[5]], np.int64)])
    assert joined.values.dtype == np.int64
    assert (joined.values.tolist(), joined.counts.tolist()) == ([4, 5], [0, 0, 1, 0, 1])


def test_names_of_slices() -> None:
    assert slice_text(()) == "all rows"
    assert slice_text((("city", 12), ("device", "phone"))) == "city=12, device=phone"
