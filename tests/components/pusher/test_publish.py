from __future__ import annotations

import errno
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import threading
import time

import pytest

from tandem.components.pusher import publish as publishing
from tandem.components.pusher.publish import CopyMismatchError, publish
from tandem.components.pusher.versions import fingerprint, pushed_versions

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data", "assets.extra/tandem.json")


def _model(folder: pathlib.Path, content: str) -> str:
    for name in _FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} {content}")
    (folder / "assets").mkdir(exist_ok=True)
    return str(folder)


def _names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "serving" / "ranker"


@pytest.fixture
def model(tmp_path: pathlib.Path) -> str:
    return _model(tmp_path / "model", "first")


def test_copies_everything_and_notes_the_origin(model: str, serving: pathlib.Path) -> None:
    before = int(time.time())
    publication = publish(model, str(serving), {"source": "runs/1", "blessing": "runs/2"})
    assert publication.copied
    assert before <= publication.version <= int(time.time())
    version = serving / str(publication.version)
    assert publication.path == str(version)
    assert _names(serving) == [version.name]
    for name in _FILES:
        assert (version / name).read_bytes() == (pathlib.Path(model) / name).read_bytes()
    assert (version / "assets").is_dir()
    record = json.loads((version / "assets.extra" / "push.json").read_text())
    assert record.pop("pushed_at").endswith("+00:00")
    assert record == {
        "source": "runs/1",
        "blessing": "runs/2",
        "version": publication.version,
        "fingerprint": fingerprint(model),
    }
    assert publication.fingerprint == fingerprint(model) == fingerprint(str(version))


def test_a_server_of_another_user_can_read_it(model: str, serving: pathlib.Path) -> None:
    umask = os.umask(0o022)
    try:
        path = publish(model, str(serving)).path
    finally:
        os.umask(umask)
    assert stat.S_IMODE(pathlib.Path(path).stat().st_mode) == 0o755
    assert stat.S_IMODE(pathlib.Path(path, "saved_model.pb").stat().st_mode) == 0o644


def test_same_model_is_not_pushed_twice(model: str, serving: pathlib.Path) -> None:
    first = publish(model, str(serving))
    again = publish(model, str(serving))
    assert (again.version, again.path, again.copied) == (first.version, first.path, False)
    assert _names(serving) == [str(first.version)]


def test_older_model_is_pushed_again_after_another_one(
    model: str, serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    versions = [publish(each, str(serving)) for each in (model, _model(tmp_path / "other", "second"), model)]
    assert all(version.copied for version in versions)
    assert versions[0].fingerprint == versions[2].fingerprint
    assert [version.number for version in pushed_versions(str(serving))] == [v.version for v in reversed(versions)]


def test_model_that_was_pulled_out_of_serving_leaves_its_old_record_behind(
    model: str, serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    first = publish(model, str(serving), {"source": "first"})
    second = publish(first.path, str(tmp_path / "staging" / "ranker"), {"source": "second"})
    record = json.loads(pathlib.Path(second.path, "assets.extra", "push.json").read_text())
    assert record["source"] == "second"
    assert second.fingerprint == first.fingerprint


def test_same_second_takes_the_next_number(
    serving: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing.time, "time", lambda: 1000.9)
    versions = [publish(_model(tmp_path / str(i), str(i)), str(serving)).version for i in range(3)]
    assert versions == [1000, 1001, 1002]


@pytest.mark.parametrize("name", ["4000000000", "04000000000"])
def test_number_exceeds_any_there_even_of_broken_versions(model: str, serving: pathlib.Path, name: str) -> None:
    (serving / name).mkdir(parents=True)
    assert publish(model, str(serving)).version == 4000000001


def test_no_number_follows_the_largest(model: str, serving: pathlib.Path) -> None:
    (serving / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(ValueError, match=f"{2**63 - 1}, the largest there is"):
        publish(model, str(serving))


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_number_taken_at_the_last_moment(
    model: str, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(publishing.time, "time", lambda: 1000.0)
    rename, tried = pathlib.Path.rename, []

    def taken_first(source: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        tried.append(target.name)
        if len(tried) == 1 and kind == "folder":
            _model(target, "of a faster push")
        elif len(tried) == 1:
            target.write_text("of somebody else")
        return rename(source, target)

    monkeypatch.setattr(pathlib.Path, "rename", taken_first)
    publication = publish(model, str(serving))
    assert tried == ["1000", "1001"]
    assert publication.version == 1001
    assert json.loads((serving / "1001" / "assets.extra" / "push.json").read_text())["version"] == 1001
    assert fingerprint(publication.path) == fingerprint(model)
    assert _names(serving) == ["1000", "1001"]


def test_failure_in_the_middle_leaves_nothing(
    model: str, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, seen = publishing._copy_file, []

    def disk_full(source: pathlib.Path, target: pathlib.Path) -> None:
        if seen:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        seen.append(target)
        copy(source, target)

    monkeypatch.setattr(publishing, "_copy_file", disk_full)
    with pytest.raises(OSError, match="No space left"):
        publish(model, str(serving))
    assert len(seen) == 1
    assert _names(serving) == []


def test_failing_rename_leaves_nothing(model: str, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: pathlib.Path, target: pathlib.Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(target))

    monkeypatch.setattr(pathlib.Path, "rename", refuse)
    with pytest.raises(PermissionError):
        publish(model, str(serving))
    assert _names(serving) == []


@pytest.mark.parametrize("damage", ["altered", "lost"])
def test_damaged_copy_is_not_published(
    model: str, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    copy = publishing._copy_file

    def damaged(source: pathlib.Path, target: pathlib.Path) -> None:
        if target.name != "variables.data":
            copy(source, target)
        elif damage == "altered":
            target.write_text("something else")

    monkeypatch.setattr(publishing, "_copy_file", damaged)
    with pytest.raises(CopyMismatchError, match=f"not {fingerprint(model)}"):
        publish(model, str(serving))
    assert _names(serving) == []


def _run(code: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=_ROOT, env={"PYTHONPATH": str(_ROOT)})


def test_killed_push_shows_no_version_and_is_swept_up_when_old(model: str, serving: pathlib.Path) -> None:
    code = """
import os, sys
from tandem.components.pusher import publish as publishing
copy = publishing._copy_file
def dying(source, target):
    copy(source, target)
    os.kill(os.getpid(), 9)
publishing._copy_file = dying
publishing.publish(sys.argv[1], sys.argv[2])
"""
    assert _run(code, model, str(serving)).wait() == -9
    (leftover,) = _names(serving)
    assert leftover.startswith(".pushing-")

    first = publish(model, str(serving))
    assert _names(serving) == [leftover, str(first.version)], "a push that may be alive was removed"

    old = time.time() - publishing.STALE_AFTER_SECONDS - 60
    for path in (*(serving / leftover).rglob("*"), serving / leftover):
        os.utime(path, (old, old))
    shutil.rmtree(first.path)
    second = publish(model, str(serving))
    assert _names(serving) == [str(second.version)]


def test_long_push_is_not_taken_for_dead(model: str, serving: pathlib.Path) -> None:
    alive = serving / ".pushing-1-1-aa"
    (alive / "variables").mkdir(parents=True)
    (alive / "variables" / "large").write_text("still growing")
    old = time.time() - publishing.STALE_AFTER_SECONDS - 60
    os.utime(alive / "variables", (old, old))
    os.utime(alive, (old, old))
    publish(model, str(serving))
    assert alive.exists()


def test_processes_that_push_at_once_get_versions_of_their_own(serving: pathlib.Path, tmp_path: pathlib.Path) -> None:
    # Both start from the same large number, so the clock does not keep them apart.
    (serving / "4000000000").mkdir(parents=True)
    code = """
import os, sys, time
from tandem.components.pusher.publish import publish
open(sys.argv[2] + "." + sys.argv[1] + ".ready", "w").close()
while not os.path.exists(sys.argv[2] + ".go"):
    time.sleep(0.001)
for source in sys.argv[3:]:
    publish(source, sys.argv[2])
"""
    models = [[_model(tmp_path / f"{i}-{j}", f"{i} {j}") for j in range(10)] for i in range(2)]
    processes = [_run(code, str(i), str(serving), *models[i]) for i in range(2)]
    while not all(pathlib.Path(f"{serving}.{i}.ready").exists() for i in range(2)):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.001)
    pathlib.Path(f"{serving}.go").touch()
    assert [process.wait() for process in processes] == [0, 0]

    versions = pushed_versions(str(serving))
    assert len(versions) == 20
    assert {fingerprint(v.path) for v in versions} == {fingerprint(m) for per_process in models for m in per_process}
    for version in versions:
        record = json.loads(pathlib.Path(version.path, "assets.extra", "push.json").read_text())
        assert record["version"] == version.number


def test_no_version_shows_before_everything_is_written(
    model: str, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[str]] = []

    def watched(name: str) -> None:
        step = getattr(publishing, name)

        def watching(*arguments: object) -> object:
            result = step(*arguments)
            steps.append([entry for entry in _names(serving) if not entry.startswith(".pushing-")])
            return result

        monkeypatch.setattr(publishing, name, watching)

    for name in ("_copy_file", "_write_record", "_sync_folder", "fingerprint"):
        watched(name)
    version = publish(model, str(serving)).version
    # The last step syncs the push folder itself, after the rename.
    assert steps == [[]] * (len(steps) - 1) + [[str(version)]]
    assert len(steps) > len(_FILES)


def test_reader_never_sees_an_incomplete_version(serving: pathlib.Path, tmp_path: pathlib.Path) -> None:
    models = [_model(tmp_path / str(i), str(i)) for i in range(50)]
    complete = sorted([*_FILES, "assets.extra/push.json"])
    done, broken = threading.Event(), []
    known: set[str] = set()

    def watch() -> None:
        while True:
            last = done.is_set()
            for name in _names(serving):
                if not name.isdecimal() or name in known:
                    continue
                known.add(name)
                path = serving / name
                files = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
                if files != complete or (path / "variables/variables.data").read_text()[:14] != "variables/vari":
                    broken.append((name, files))
            if last:
                return

    reader = threading.Thread(target=watch)
    reader.start()
    for model in models:
        publish(model, str(serving))
    done.set()
    reader.join()
    assert broken == []
    assert len(known) == 50


def test_object_store(model: str) -> None:
    with pytest.raises(ValueError, match="mounted file system"):
        publish(model, "gs://bucket/serving")
