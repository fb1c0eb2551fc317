"""Where files are found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import fsspec
import pytest

from tandem.components.log_example_gen.readers.registry import READERS, read_file, reader_of
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError, filesystem, find_files, glob_pattern, look_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(params=["folder", "folder with [1] * and ?", "memory"])
def lay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes files with the content `a`, a line end, and their name; returns the folder: a path or a URI."""
    root = "memory://logs/day" if request.param == "memory" else str(tmp_path / request.param)
    system, path = fsspec.url_to_fs(root)

    def lay(*names: str) -> str:
        for name in names:
            system.makedirs(f"{path}/{name}".rpartition("/")[0], exist_ok=True)
            system.pipe_file(f"{path}/{name}", f"a\n{name}\n".encode())
        return root

    yield lay
    if system.exists(path):
        system.rm(path, recursive=True)


def names(data_dir: str, *patterns: str) -> list[str]:
    return [file.name for file in find_files(Files(files=patterns), data_dir, "log")]


def test_a_folder_is_the_same_on_this_machine_and_elsewhere(lay: Callable[..., str]) -> None:
    root = lay("b.csv", "a.csv", "day/1.csv", "day/deep/2.csv", "x[1].csv", "day/.hidden.csv")
    assert names(root, "*.csv") == ["a.csv", "b.csv", "x[1].csv"]
    assert names(root, "day/*.csv") == ["day/1.csv"]
    assert names(root, "day/.*.csv") == ["day/.hidden.csv"]
    assert names(root, "**/[0-9].csv") == ["day/1.csv", "day/deep/2.csv"]
    assert names(root, "**") == names(root, "**/*") == [
        "a.csv", "b.csv", "day/1.csv", "day/deep/2.csv", "x[1].csv"
    ]  # fmt: skip
    assert names(root, "b.csv", "[!b].csv", "?.csv") == ["a.csv", "b.csv"]
    assert names(root, "x[[]1].csv") == ["x[1].csv"]
    with pytest.raises(LogsError, match=r"log: no file matches 'day' in "):  # a folder is no file
        names(root, "day")
    with pytest.raises(LogsError, match=r"log: no file matches 'none/\*' in "):
        names(root, "none/*")


def test_what_was_found_can_be_read(lay: Callable[..., str]) -> None:
    root = lay("a/1.csv", "2.csv")
    spec, (system, _) = Files(files="**/*.csv"), filesystem(root)
    files = find_files(spec, root, "log")
    assert [file.size for file in files] == [len("a\n2.csv\n"), len("a\na/1.csv\n")]
    found = {file.name: [block.rows["a"].to_list() for block in read_file(system, file, spec, ["a"])] for file in files}
    assert found == {"a/1.csv": [["a/1.csv"]], "2.csv": [["2.csv"]]}


def test_files_beside_the_folder_are_called_by_their_whole_path(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "1.csv").touch()
    (tmp_path / "2.csv").touch()
    found = names(str(tmp_path / "data"), "*.csv", "../*.csv", str(tmp_path / "2.csv"))
    assert found == [str(tmp_path / "2.csv"), "1.csv"]


def test_the_folder_may_be_named_in_a_roundabout_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "day").mkdir(parents=True)
    (tmp_path / "data" / "day" / "1.csv").touch()
    monkeypatch.chdir(tmp_path / "data" / "day")
    for folder in ("..", f"{tmp_path}/data/day/../../data/", f"file://{tmp_path}/data", "../day/.."):
        assert names(folder, "*/*.csv") == ["day/1.csv"]


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "1.csv").write_text("a\n1\n2\n")
    data = tmp_path / "data"
    data.mkdir()
    (data / "linked.csv").symlink_to(tmp_path / "real" / "deep" / "1.csv")
    (data / "folder").symlink_to(tmp_path / "real")
    found = find_files(Files(files="linked.csv"), str(data), "log")
    assert [(file.name, file.size) for file in found] == [("linked.csv", 6)]
    found = find_files(Files(files="*/deep/*.csv"), str(data), "log")
    assert [(file.name, file.size) for file in found] == [("folder/deep/1.csv", 6)]


def test_each_real_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "day=6").mkdir()
    (tmp_path / "day=7").mkdir()
    for name in ("day=6/a.csv", "day=7/a.csv"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "again.csv").symlink_to(tmp_path / "day=6" / "a.csv")
    (tmp_path / "current").symlink_to(tmp_path / "day=7")
    (tmp_path / "here").symlink_to(".")
    found = look_for(Files(files="*/*.csv"), str(tmp_path), "log")
    assert [file.name for file in found.files] == ["day=6/a.csv", "day=7/a.csv"]
    assert found.remarks == (
        "log: 2 files are left out that links lead to a second time: current/a.csv is day=7/a.csv",
    )
    assert [file.name for file in look_for(Files(files="**/*.csv"), str(tmp_path), "log").files] == [
        "day=6/a.csv",
        "day=7/a.csv",
    ]
    assert look_for(Files(files=["current/*.csv", "again.csv"]), str(tmp_path), "log").remarks == ()


@pytest.mark.parametrize("pattern", ["*.csv", "gone.csv", "**/*.csv", "*/*.csv", "day=*/x/*.csv"])
def test_a_link_to_nothing_is_an_error(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "day=6" / "x").mkdir(parents=True)
    for name in ("day=6/a.csv", "day=6/x/a.csv", "a.csv"):
        (tmp_path / name).write_text("a\n1\n")
    link = tmp_path / ("gone.csv" if "/" not in pattern else "day=6/gone.csv" if "**" in pattern else "day=7")
    link.symlink_to("nothing")
    (tmp_path / ".#a.csv").symlink_to("an editor's lock")
    with pytest.raises(LogsError, match=f"log: {link.relative_to(tmp_path)} is a link to a file or folder that is not"):
        look_for(Files(files=pattern), str(tmp_path), "log")


def test_hidden_files_are_left_out_unless_a_glob_says_so(lay: Callable[..., str]) -> None:
    root = lay("a.csv", "._a.csv", "_SUCCESS", ".ipynb_checkpoints/a.csv", "_old/b.csv", "day/a.csv")
    found = look_for(Files(files=["**/*.csv", "*"]), root, "log")
    assert [file.name for file in found.files] == ["a.csv", "day/a.csv"]
    assert found.remarks == ("log: 4 hidden files are left out: ._a.csv",)
    assert look_for(Files(files="*"), root, "log").remarks == ("log: 2 hidden files are left out: ._a.csv",)
    for pattern, name in [
        ("._*.csv", "._a.csv"),
        ("_SUCCESS", "_SUCCESS"),
        (".ipynb_*/*", ".ipynb_checkpoints/a.csv"),
        ("_*/*.csv", "_old/b.csv"),
    ]:
        found = look_for(Files(files=pattern), root, "log")
        assert ([file.name for file in found.files], found.remarks) == ([name], ())
    with pytest.raises(LogsError, match=r"log: no file matches '\*_a\.csv' in .* \(but for hidden ones: \._a\.csv\)"):
        look_for(Files(files="*_a.csv"), root, "log")


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("*.csv", ["a.csv", ".csv"], ["day/a.csv", "a.csv.gz"]),
        ("**/*.csv", ["a.csv", "day/a.csv", "day/deep/a.csv"], ["a.tsv"]),
        ("day/**", ["day/a", "day/deep/a"], ["day", "other/a"]),
        ("a?[!b-d].csv", ["axe.csv"], ["axb.csv", "ae.csv", "a/e.csv"]),
        ("a+(b).csv", ["a+(b).csv"], ["aab.csv"]),
    ],
)
def test_globs(pattern: str, matches: list[str], others: list[str]) -> None:
    assert [name for name in (*matches, *others) if glob_pattern(pattern).match(name)] == matches


def test_two_stars_within_a_name_are_no_glob(tmp_path: Path) -> None:
    with pytest.raises(LogsError, match=r"'day\*\*/x\.csv' is no glob: between two slashes, '\*\*' must stand alone"):
        names(str(tmp_path), "day**/x.csv")


@pytest.mark.parametrize(
    ("uri", "message"),
    [("gs://bucket/logs", "[Pp]lease install gcsfs"), ("nowhere://logs", "Protocol not known: nowhere")],
)
def test_a_file_system_that_is_not_installed_is_named(uri: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(LogsError, match=rf"{uri} cannot be opened: .*{message}"):
        filesystem(uri)


def test_files_are_found_by_globs_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "day/1.csv.gz", "day/deep/2.csv", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def csv(*patterns: str) -> list[str]:
        spec = Files(files=patterns)
        found = [file.name for file in find_files(spec, str(tmp_path), "log")]
        assert all(reader_of(name, spec) is READERS["csv"] for name in found)
        return found

    assert csv("*.csv") == ["a.csv", "b.csv"]
    assert csv("b.csv", "*.csv") == ["a.csv", "b.csv"]
    assert csv("day/?.csv*", "[!b].csv") == ["a.csv", "day/1.csv.gz"]
    assert csv("**/*.csv") == ["a.csv", "b.csv", "day/deep/2.csv"]
    with pytest.raises(LogsError, match=r"clicks: no file matches 'x\*\.csv' in "):
        find_files(Files(files="x*.csv"), str(tmp_path), "clicks")
    with pytest.raises(
        LogsError, match=r"c\.txt: unknown ending; allowed are \.csv, \.tsv, \.jsonl, \.ndjson, \.parquet"
    ):
        csv("c.txt")
    assert find_files(Files(files="c.txt", format="csv"), str(tmp_path), "log")
