import os
from pathlib import Path

import fsspec
import pytest

from tandem import files


def names(folder):
    return sorted(os.listdir(folder))


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a" / "b.txt"
    files.write(path, "erste")
    files.write(str(path), b"zweite")
    assert path.read_bytes() == b"zweite"
    assert names(path.parent) == ["b.txt"]


def test_a_file_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write("b.txt", "ä")
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == "ä"


def test_it_is_not_there_before_it_is_whole(tmp_path):
    path = tmp_path / "b.txt"
    with files.appearing(path) as partial:
        Path(partial).write_text("half")
        assert not path.exists()
        assert Path(partial).parent == tmp_path
    assert path.read_text() == "half"


@pytest.mark.parametrize("content", [None, "half"])
def test_an_error_leaves_what_was_there(tmp_path, content):
    path = tmp_path / "b.txt"
    files.write(path, "before")
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, content)
    assert path.read_text() == "before"
    assert names(tmp_path) == ["b.txt"]


def interrupted(path, content):
    with files.appearing(path) as partial:
        if content:
            Path(partial).write_text(content)
        raise KeyboardInterrupt


def test_an_object_store():
    files.write("memory://bucket/folder/b.txt", "text")
    store = fsspec.filesystem("memory")
    assert store.cat("/bucket/folder/b.txt") == b"text"
    assert [Path(each).name for each in store.ls("/bucket/folder", detail=False)] == ["b.txt"]
