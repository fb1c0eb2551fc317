from __future__ import annotations

import hashlib
import pathlib

import pytest

from tandem.components.pusher.versions import (
    fingerprint,
    model_files,
    model_folder,
    newest_version,
    pushed_versions,
    require_local_path,
    taken_numbers,
)


def _write(folder: pathlib.Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(folder)


def test_fingerprint_worked_by_hand(tmp_path: pathlib.Path) -> None:
    model = _write(tmp_path, {"saved_model.pb": "graph", "assets/vocabulary": "a\nb"})
    expected = hashlib.sha256(
        b"assets/vocabulary\0"
        + hashlib.sha256(b"a\nb").digest()
        + b"saved_model.pb\0"
        + hashlib.sha256(b"graph").digest()
    ).hexdigest()
    assert fingerprint(model) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"saved_model.pb": "grapH", "variables/v": "12"},
        {"saved_model.pb": "graph", "variables/w": "12"},
        {"saved_model.pb": "graph", "variables/v": "1", "variables/w": "2"},
        {"saved_model.pb": "graph", "variables/v": "12", "assets.extra/tandem.json": "{}"},
    ],
)
def test_another_model_has_another_fingerprint(tmp_path: pathlib.Path, other: dict[str, str]) -> None:
    model = _write(tmp_path / "model", {"saved_model.pb": "graph", "variables/v": "12"})
    assert fingerprint(model) != fingerprint(_write(tmp_path / "other", other))


def test_record_of_push_and_empty_folders_do_not_count(tmp_path: pathlib.Path) -> None:
    model = _write(tmp_path, {"saved_model.pb": "graph"})
    before = fingerprint(model)
    _write(tmp_path, {"assets.extra/push.json": "{}"})
    (tmp_path / "assets").mkdir()
    assert fingerprint(model) == before
    _write(tmp_path, {"assets/push.json": "{}"})
    assert fingerprint(model) != before


def test_versions_are_complete_ones_newest_first(tmp_path: pathlib.Path) -> None:
    for name in ("9", "10", "007", ".pushing-11-1-aa", "v12", "99999999999999999999"):
        _write(tmp_path / name, {"saved_model.pb": "graph"})
    (tmp_path / "13").mkdir()
    assert [(v.number, pathlib.Path(v.path).name) for v in pushed_versions(str(tmp_path))] == [
        (10, "10"),
        (9, "9"),
        (7, "007"),
    ]
    assert sorted(taken_numbers(str(tmp_path))) == [7, 9, 10, 13]
    newest = newest_version(str(tmp_path))
    assert newest is not None
    assert newest.number == 10


def test_no_folder_means_no_versions(tmp_path: pathlib.Path) -> None:
    assert pushed_versions(str(tmp_path / "none")) == []
    assert newest_version(str(tmp_path / "none")) is None
    assert taken_numbers(str(tmp_path / "none")) == []


def test_no_saved_model(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no SavedModel"):
        fingerprint(str(tmp_path))


def test_link_to_folder_is_refused(tmp_path: pathlib.Path) -> None:
    model = _write(tmp_path / "model", {"saved_model.pb": "graph"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "model" / "variables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="link to a folder"):
        model_files(model)


@pytest.mark.parametrize("uri", ["gs://bucket/serving", "s3://bucket/serving", "file:///serving", "hdfs://h/x"])
def test_object_store_is_refused_with_the_reason(uri: str) -> None:
    with pytest.raises(ValueError, match=r"push_dir is '.*', but must be .*renamed in one step") as error:
        model_folder(uri, "ranker")
    assert uri in str(error.value)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "-x", "a b"])
def test_bad_model_names(name: str) -> None:
    with pytest.raises(ValueError, match="model_name is"):
        model_folder("serving", name)


def test_local_paths_become_absolute(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_folder("serving", "ranker-2.b") == str(tmp_path / "serving" / "ranker-2.b")
    with pytest.raises(ValueError, match="the folder is empty"):
        require_local_path("", "the folder")
