import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from tandem.pipeline.configuration.config import load
from tandem.pipeline.failures import ComponentFailed, Interrupted, RunError
from tandem.pipeline.local import runner

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def console():
    return Console(file=io.StringIO())


def test_no_data_folder(config_file, console, tmp_path):
    with pytest.raises(RunError, match=r"there is no data folder .*/logs \(from --data, TANDEM_DATA or 'data_dir' in"):
        runner.run(load(config_file), console)
    assert not (tmp_path / "runs").exists()


def test_logs_that_are_missing_are_told_before_anything_runs(config_file, console, logs):
    (logs / "clicks-0.csv").unlink()
    with pytest.raises(RunError, match=r"clicks: no file matches 'clicks-\*\.csv' in "):
        runner.run(load(config_file), console)


def test_the_output_folder_is_written_by_its_owner_only(config_file, console, logs, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_run", lambda config, console, log_file: "the result")
    (tmp_path / "runs" / "shop").mkdir(parents=True)
    (tmp_path / "runs" / "shop").chmod(0o777)
    assert runner.run(load(config_file), console) == "the result"
    assert (tmp_path / "runs" / "shop").stat().st_mode & 0o777 == 0o755


def test_a_failure_is_one_paragraph_and_the_traceback_is_in_the_log(config_file, console, logs, monkeypatch):
    def fail(config, console, log_file):
        raise ComponentFailed("Trainer", ValueError("no rows"))

    monkeypatch.setattr(runner, "_run", fail)
    with pytest.raises(RunError) as error:
        runner.run(load(config_file), console)
    first, second = str(error.value).splitlines()
    assert first == "Trainer failed: no rows"
    log = Path(second.removeprefix("The whole log: "))
    assert "ValueError: no rows" in log.read_text()


def test_ctrl_c_while_setting_up(config_file, console, logs, monkeypatch):
    def interrupt(config, console, log_file):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_run", interrupt)
    with pytest.raises(Interrupted):
        runner.run(load(config_file), console)


def test_an_output_folder_that_cannot_be_made(config_file, console, logs, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match=r"the output folder .* cannot be used: .*; choose another with --output"):
        runner.run(load(config_file), console)


HOLD = """
import sys
from pathlib import Path
from tandem.pipeline.local.runner import _locked
with _locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_on_one_folder(config_file, console, logs, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "shop"
    folder.mkdir(parents=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(
            RunError, match=rf"another run \(process {holder.pid}\) is working in {folder}: wait for its end"
        ):
            runner.run(load(config_file), console)
    finally:
        holder.kill()
        holder.communicate()
    # A killed run leaves no lock behind.
    monkeypatch.setattr(runner, "_run", lambda config, console, log_file: "the result")
    assert runner.run(load(config_file), console) == "the result"


def test_the_command_line_is_hidden_from_beam(config_file, console, logs, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tandem", "run", "--data", "x"])
    monkeypatch.setattr(runner, "_run", lambda config, console, log_file: list(sys.argv))
    assert runner.run(load(config_file), console) == ["tandem"]
    assert sys.argv == ["tandem", "run", "--data", "x"]
