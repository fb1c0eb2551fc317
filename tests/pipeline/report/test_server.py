import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tandem.components.run_report.executor import REPORT_FILE
from tandem.pipeline import cli
from tandem.pipeline.failures import RunError
from tandem.pipeline.report import server

ROOT = Path(__file__).resolve().parents[3]


def make_report(folder, text="<h1>the page</h1>", age=0):
    folder.mkdir(parents=True)
    path = folder / "report.html"
    path.write_text(text)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def test_the_name_is_the_components():
    assert server.REPORT_FILE == REPORT_FILE


def test_the_report_of_a_folder(tmp_path):
    path = make_report(tmp_path / "out")
    assert server.find(tmp_path / "out") == path


def test_the_newest_of_all_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_report(tmp_path / "runs" / "b", age=10)
    newest = make_report(tmp_path / "runs" / "a")
    make_report(tmp_path / "runs" / "c", age=20)
    assert server.find() == newest


def test_no_run_has_been_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"there is no report in .*/runs/\*: name a configuration or --output DIR"):
        server.find()
    with pytest.raises(RunError, match=r"there is no report .*/out/report.html: a run writes it when .* are done"):
        server.find(tmp_path / "out")


def test_a_configuration_names_the_folder_wherever_the_logs_are(config_file, tmp_path, capsys):
    path = make_report(tmp_path / "runs" / "shop")
    config_file.write_text(config_file.read_text().replace("data_dir: logs\n", ""))
    assert cli.main(["report", str(config_file), "--no-serve"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    other = make_report(tmp_path / "elsewhere")
    assert cli.main(["report", str(config_file), "--output", str(tmp_path / "elsewhere"), "--no-serve"]) == 0
    assert capsys.readouterr().out == f"{other}\n"


def test_a_missing_report_is_told_by_the_command(tmp_path, capsys):
    assert cli.main(["report", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: there is no report {tmp_path}/report.html")


@pytest.fixture
def served(tmp_path):
    """The command, serving on a free port: the process, the address and the file."""
    path = make_report(tmp_path / "out")
    command = [sys.executable, "-m", "tandem", "report", "--output", str(tmp_path / "out"), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"{path}\n"
        yield process, process.stdout.readline().split()[0], path
    finally:
        process.kill()
        process.communicate()


def fetch(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return answer.read().decode()


def test_it_serves_the_report_alone_until_ctrl_c(served):
    process, address, path = served
    assert address.startswith("http://127.0.0.1:")
    assert fetch(address) == "<h1>the page</h1>"
    path.write_text("<h1>of a newer run</h1>")
    assert fetch(f"{address}report.html?again") == "<h1>of a newer run</h1>"
    for name in ("run.lock", "../out/report.html", "etc/passwd"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(address + name)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(address, Host="evil.example:80")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=rf"port {port} of 127.0.0.1 cannot be used: Address already in use; choose"):
            server.serve(tmp_path, port, print)
    with pytest.raises(RunError, match=r"port 70000 of 127.0.0.1 cannot be used: "):
        server.serve(tmp_path, 70000, print)
