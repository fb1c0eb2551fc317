from pathlib import Path

import fsspec
import pytest
import tensorflow as tf

from tandem import files


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a" / "b.txt"
    files.write(path, "erste")
    files.write(str(path), b"zweite")
    assert path.read_bytes() == b"zweite"
    assert files.read(path) == files.read(str(path)) == b"zweite"
    assert names(path.parent) == ["b.txt"]


def test_a_file_that_is_not_there_is_told_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        files.read(tmp_path / "b.txt")


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


def test_a_file_uri(tmp_path):
    files.write(f"file://{tmp_path}/a/b.txt", "erste")
    files.write(f"file://{tmp_path}/a/b.txt", "zweite")
    assert (tmp_path / "a" / "b.txt").read_text() == "zweite"
    assert names(tmp_path / "a") == ["b.txt"]


def read_memory(path):
    return fsspec.filesystem("memory").cat(path)


def names_in_memory(folder):
    return [Path(each).name for each in fsspec.filesystem("memory").ls(folder, detail=False)]


def read_ram(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


# memory:// is fsspec's alone, ram:// is TensorFlow's alone: it stands for gs:// where gcsfs is not installed.
STORES = pytest.mark.parametrize(
    ("store", "read", "names_in"),
    [("memory", read_memory, names_in_memory), ("ram", read_ram, tf.io.gfile.listdir)],
)


@STORES
def test_an_object_store(store, read, names_in):
    folder = f"{store}://bucket/written"
    files.write(f"{folder}/b.txt", "first")
    files.write(f"{folder}/b.txt", b"second")
    assert files.read(f"{folder}/b.txt") == b"second"
    with pytest.raises(FileNotFoundError, match=r"c\.txt"):
        files.read(f"{folder}/c.txt")
    assert read(f"{folder}/b.txt") == b"second"
    assert names_in(folder) == ["b.txt"]


@STORES
@pytest.mark.parametrize("content", [None, b"half"])
def test_an_error_leaves_an_object_store_as_it_was(store, read, names_in, content):
    path = f"{store}://bucket/interrupted/b.txt"
    files.write(path, "before")
    with pytest.raises(KeyboardInterrupt):
        interrupted_there(path, content)
    assert read(path) == b"before"
    assert names_in(f"{store}://bucket/interrupted") == ["b.txt"]


def interrupted_there(path, content):
    with files.appearing(path) as partial:
        if content:
            files.write(partial, content)
        raise KeyboardInterrupt


def test_a_store_that_nothing_can_write_to_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"nowhere://bucket/b\.txt cannot be reached: .*nowhere"):
        files.write("nowhere://bucket/b.txt", "text")
    fsspec.register_implementation("absent", "absent_package.Store", clobber=True, errtxt="install absent_package")
    with pytest.raises(ValueError, match=r"absent://bucket/b\.txt cannot be reached: install absent_package"):
        files.read("absent://bucket/b.txt")
    with pytest.raises(ValueError, match=r"absent://bucket/b\.txt cannot be reached: install absent_package"):
        files.write("absent://bucket/b.txt", "text")
