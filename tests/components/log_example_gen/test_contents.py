"""The digest of the logs: what changes it, what does not, and how often files are read for it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pytest

from tandem.components.log_example_gen import contents
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import filesystem, find_files

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    (data / "day").mkdir(parents=True)
    (data / "a.csv").write_text("a\n1\n")
    (data / "day" / "b.csv").write_text("b\n2\n")
    return data


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once: these tests do not wait."""
    monkeypatch.setattr(contents, "_SETTLED_NS", -1)


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose contents are looked at."""
    looked_at: list[str] = []
    look_at = contents._look_at

    def noting(path: str) -> contents._Known:
        looked_at.append(Path(path).name)
        return look_at(path)

    monkeypatch.setattr(contents, "_look_at", noting)
    return looked_at


def digest(data: Path | str, index: Path | None = None) -> str:
    files = find_files(Files(files="**/*.csv"), str(data), "log")
    return contents.digest(files, filesystem(str(data))[0], None if index is None else str(index))


def test_touching_copying_and_moving_change_nothing(folder: Path, tmp_path: Path) -> None:
    before = digest(folder)
    os.utime(folder / "a.csv", ns=(1, 1))
    assert digest(folder) == before
    shutil.copytree(folder, tmp_path / "copy")
    assert digest(tmp_path / "copy") == before
    folder.rename(tmp_path / "elsewhere")
    assert digest(tmp_path / "elsewhere") == before


def test_every_byte_and_every_name_counts(folder: Path) -> None:
    seen = {digest(folder)}
    (folder / "a.csv").write_text("a\n2\n")
    seen.add(digest(folder))
    (folder / "a.csv").rename(folder / "c.csv")
    seen.add(digest(folder))
    (folder / "day" / "b.csv").rename(folder / "b.csv")
    seen.add(digest(folder))
    (folder / "d.csv").touch()
    seen.add(digest(folder))
    (folder / "b.csv").write_text("a\n2\n")
    (folder / "c.csv").write_text("b\n2\n")  # the two have changed places
    seen.add(digest(folder))
    assert len(seen) == 6


def test_the_order_of_the_files_does_not_count(folder: Path) -> None:
    files = find_files(Files(files="**/*.csv"), str(folder), "log")
    system, _ = filesystem(str(folder))
    assert contents.digest(files, system) == contents.digest((*reversed(files), files[0]), system)


def test_with_an_index_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path, read_files: list[str]) -> None:
    index = tmp_path / "new" / "digests.json"
    before = digest(folder, index)
    assert before == digest(folder)
    assert read_files == ["a.csv", "b.csv"] * 2
    read_files.clear()
    assert digest(folder, index) == before
    assert read_files == []
    (folder / "a.csv").write_text("a\n11\n")
    assert digest(folder, index) == digest(folder) != before
    assert read_files == ["a.csv", "a.csv", "b.csv"]  # once for the index, then all without it
    assert set(json.loads(index.read_text())) == {str(folder / "a.csv"), str(folder / "day" / "b.csv")}
    assert [path.name for path in index.parent.iterdir()] == ["digests.json"]


def test_a_file_changed_in_place_with_its_size_and_time_is_noticed(folder: Path, tmp_path: Path) -> None:
    index, file = tmp_path / "digests.json", folder / "a.csv"
    before, stat = digest(folder, index), file.stat()
    file.write_text("a\n2\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    while file.stat().st_ctime_ns == stat.st_ctime_ns:  # within one tick of the clock
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert digest(folder, index) == digest(folder) != before


def test_a_file_that_has_just_changed_is_not_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED_NS", 3_600_000_000_000)
    index = tmp_path / "digests.json"
    digest(folder, index)
    assert not index.exists()


def test_an_index_is_shared_by_folders(folder: Path, tmp_path: Path, read_files: list[str]) -> None:
    index = tmp_path / "digests.json"
    shutil.copytree(folder, tmp_path / "copy")
    assert digest(folder, index) == digest(tmp_path / "copy", index)
    read_files.clear()
    digest(folder, index)
    assert read_files == []


@pytest.mark.parametrize("text", ["", "[]", '{"/a": 1}', b"\xff"])
def test_an_index_that_cannot_be_used_is_made_anew(
    folder: Path, tmp_path: Path, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    index = tmp_path / "digests.json"
    index.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert digest(folder, index) == digest(folder)
    assert f"{index}, cannot be used and is made anew" in caplog.text
    assert len(json.loads(index.read_text())) == 2


def test_an_index_that_cannot_be_written_is_done_without(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    index = tmp_path / "file" / "digests.json"
    assert digest(folder, index) == digest(folder)
    assert f"{index}, cannot be written" in caplog.text


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/a.csv", b"a\n1\n")
    yield system
    system.rm("/bucket", recursive=True)


def test_files_elsewhere_are_not_read(store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest("memory://bucket")
    monkeypatch.setattr(type(store), "_open", None)
    assert digest("memory://bucket") == before
    monkeypatch.undo()
    store.pipe_file("/bucket/a.csv", b"a\n1,2\n")
    assert digest("memory://bucket") != before


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ({"ETag": '"1"', "LastModified": "now"}, 'ETag "1"'),
        ({"etag": "1", "md5Hash": "abc", "updated": "now"}, "md5Hash abc"),
        ({"mtime": 5.5, "created": 1}, "mtime 5.5"),
        ({"created": 1}, "created 1"),
        ({}, ""),
    ],
)
def test_a_checksum_comes_before_a_tag_and_a_tag_before_a_time(
    store: fsspec.AbstractFileSystem, info: dict, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"/bucket/a.csv": {"name": "/bucket/a.csv", "type": "file", "size": 4, **info}}
    monkeypatch.setattr(type(store), "glob", lambda self, path, detail: told)
    (file,) = find_files(Files(files="*.csv"), "memory://bucket", "log")
    assert (file.name, file.size, file.version) == ("a.csv", 4, version)
