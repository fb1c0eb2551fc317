import sqlite3
import subprocess
import sys

import pytest

from tandem.pipeline.configuration.config import load
from tandem.pipeline.doctor import settings
from tandem.pipeline.failures import RunError
from tandem.pipeline.local import output_folder, runner

HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
input()
"""


@pytest.fixture
def database(tmp_path):
    with sqlite3.connect(tmp_path / output_folder.METADATA_FILE) as database:
        database.execute("CREATE TABLE runs (id INTEGER)")
    database.close()
    return tmp_path / output_folder.METADATA_FILE


@pytest.fixture
def held(database):
    """Another program that writes."""
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield database
        process.communicate("\n")


def test_a_locked_database_is_named(held):
    problem = output_folder.database_problem(held.parent, seconds=0.01)
    assert problem.startswith(f"{held} is locked by another program")


def test_a_database_that_is_free_stays_as_it_is(database):
    before = database.read_bytes()
    assert output_folder.database_problem(database.parent) == ""
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / output_folder.METADATA_FILE).write_text("no database at all" * 100)
    problem = output_folder.database_problem(tmp_path)
    assert problem.startswith(f"{tmp_path / output_folder.METADATA_FILE}, the metadata of earlier runs, cannot be used")


@pytest.mark.parametrize("name", ["a[1]", "what?", "all*"])
def test_a_folder_whose_name_is_a_pattern_is_refused_by_doctor_and_run(config_file, logs, tmp_path, name):
    config = load(config_file, output=str(tmp_path / name))
    failed = [check.text for check in settings.folders(config) if check.status == "fail"]
    assert [text.split(" has ")[0] for text in failed] == [f"the output folder {tmp_path / name}"]
    with pytest.raises(RunError, match="read as a pattern of names"):
        runner.run(config)


def test_a_run_says_at_once_that_the_database_is_locked(config_file, logs, held, monkeypatch):
    monkeypatch.setattr(output_folder.database_problem, "__defaults__", (0.01,))
    with pytest.raises(RunError, match="is locked by another program"):
        runner.run(load(config_file, output=str(held.parent)))


@pytest.mark.parametrize("empty", [True, False])
def test_artifacts_without_metadata_are_set_aside(tmp_path, empty):
    (tmp_path / "artifacts" / "Trainer").mkdir(parents=True)
    if empty:
        (tmp_path / output_folder.METADATA_FILE).touch()
    aside = output_folder.set_aside_without_metadata(tmp_path, "1")
    assert aside == tmp_path / "artifacts-1"
    assert [path.name for path in aside.iterdir()] == ["Trainer"]
    assert output_folder.set_aside_without_metadata(tmp_path, "2") is None


def test_artifacts_with_metadata_stay(database):
    artifacts = database.parent / "artifacts"
    artifacts.mkdir()
    assert output_folder.set_aside_without_metadata(database.parent, "1") is None
    (artifacts / "Trainer").mkdir()
    assert output_folder.set_aside_without_metadata(database.parent, "1") is None
    assert artifacts.is_dir()
