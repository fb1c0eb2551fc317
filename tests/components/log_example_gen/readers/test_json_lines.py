"""JSON lines."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.components.log_example_gen.readers import json_lines
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tandem.components.log_example_gen.readers.block import Malformed

    Read = Callable[..., tuple[list[tuple], list[Malformed]]]


def jsonl(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_jsonl_scalars_become_text_and_lists_stay(read: Read, tmp_path: Path) -> None:
    data = jsonl(
        {"id": 7, "n": 1.5, "flag": True, "tags": ["a", "b"], "when": "2022-01-01 00:00:00", "more": {"x": 1}},
        {"id": 8, "n": 2.0, "flag": None, "tags": [], "when": "2022-01-02"},
        {"n": None, "tags": ["c", None], "when": ""},
    )
    rows, bad = read(tmp_path, "a.jsonl", data, ["id", "n", "flag", "tags", "when"])
    assert rows == [
        ("7", "1.5", "true", ["a", "b"], "2022-01-01 00:00:00", 1),
        ("8", "2", "", [], "2022-01-02", 2),
        ("", "", "", ["c", ""], "", 3),  # An empty value keeps its place.
    ]
    assert bad == []


def test_jsonl_bad_lines_are_given_out_and_the_rest_reads_as_without_them(read: Read, tmp_path: Path) -> None:
    good = [{"id": 1, "n": 2.0, "tags": [3]}, {"id": 2, "n": 0.5, "tags": None}, {"id": 3, "n": 7, "tags": [1, 2]}]
    first, second, third = (jsonl(record) for record in good)
    clean, _ = read(tmp_path, "clean.jsonl", first + second + third, ["id", "n"])
    broken = first + b'{"id": 4,\n' + second + b"[5]\n\n" + b'{"id": "\xff"}\n' + third + b'{"id": {"x": 1}}\n'
    rows, bad = read(tmp_path, "broken.jsonl", broken, ["id", "n"])
    assert [row[:2] for row in rows] == [row[:2] for row in clean] == [("1", "2"), ("2", "0.5"), ("3", "7")]
    assert [row[2] for row in rows] == [1, 3, 6]
    assert [(line.row, line.text) for line in bad] == [
        (2, '{"id": 4,'),
        (4, "[5]"),
        (5, '{"id": "\\xff"}'),
        (7, '{"id": {"x": 1}}'),
    ]
    assert [line.why[:20] for line in bad] == [
        "no JSON: Expecting p",
        "JSON, but not an obj",
        "not UTF-8",
        "'id' is an object; a",
    ]


def test_jsonl_ids_keep_all_their_digits(read: Read, tmp_path: Path) -> None:
    data = jsonl({"id": 2**64 - 1}, {"id": 2**63 + 1}, {"id": 5})
    rows, _ = read(tmp_path, "a.jsonl.gz", gzip.compress(data), ["id"])
    assert [row[0] for row in rows] == ["18446744073709551615", "9223372036854775809", "5"]


def test_jsonl_ids_of_several_types_read_alike(read: Read, tmp_path: Path) -> None:
    rows, bad = read(tmp_path, "a.jsonl", jsonl({"id": 1}, {"id": "1"}, {"id": 1.0}, {"id": True}), ["id"])
    assert [row[0] for row in rows] == ["1", "1", "1", "true"]
    assert bad == []


def test_jsonl_without_lines_has_no_rows(read: Read, tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", b"", ["id"]) == ([], [])


@pytest.mark.parametrize("block_bytes", [10, 300])
def test_jsonl_in_blocks(read: Read, tmp_path: Path, block_bytes: int) -> None:
    data = b"".join(b"{\n" if i % 9 == 0 else jsonl({"id": i, "w": f"2022-01-{i:02}"}) for i in range(1, 31))
    rows, bad = read(tmp_path, "a.jsonl", data, ["id", "w"], block_bytes)
    assert rows == [(str(i), f"2022-01-{i:02}", i) for i in range(1, 31) if i % 9]
    assert [line.row for line in bad] == [9, 18, 27]


@pytest.mark.parametrize("data", [b'[{"id": 1},\n{"id": 2}]\n', b'\xef\xbb\xbf [\n  {"id": 1}\n]', b"[]\n"])
def test_an_array_is_answered_with_how_to_make_lines_of_it(read: Read, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(LogsError, match=r"a\.jsonl is one JSON array; JSON lines have an object per line.*jq -c"):
        read(tmp_path, "a.jsonl", data, ["id"])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(-(2**70), 2**70),
            st.integers(2**53 - 3, 2**53 + 3),
            st.from_regex(r"0{1,3}[0-9]{1,18}", fullmatch=True),
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_jsonl_ids_survive_digit_by_digit(
    read: Read, tmp_path_factory: pytest.TempPathFactory, ids: list[int | str], odd: bool
) -> None:
    records = [{"id": each} for each in ids] + ([{"id": 0.5}] if odd else [])
    rows, _ = read(tmp_path_factory.mktemp("ids"), "a.jsonl", jsonl(*records), ["id"])
    assert [row[0] for row in rows][: len(ids)] == [str(each) for each in ids]


def test_jsonl_of_many_short_lines_is_parsed_at_once(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "_slow", None)
    kinds = ['{"id":%d,"x":"2022-01-01"}\n', '{"id":%d.5,"x":null}\n', '{"id":%d}\n']
    lines = [kinds[i // 100_000] % i for i in range(210_000)]
    rows, bad = read(tmp_path, "a.jsonl", "".join(lines).encode(), ["id", "x"], block_bytes=32 << 20)
    assert len(rows) == 210_000
    assert (rows[7], rows[-1]) == (("7", "2022-01-01", 8), ("209999", "", 210_000))
    assert bad == []
