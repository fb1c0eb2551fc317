import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import logging, os, sys, warnings
from pathlib import Path
from tandem.pipeline.local.run_log import captured

with captured(Path(sys.argv[1])) as terminal:
    print("printed")
    os.write(2, b"from C++\\n")
    logging.getLogger("tensorflow").warning("logged")
    warnings.warn("warned")
    print("for the user", file=terminal)
print("after")
os.write(2, b"error after\\n")
"""


def test_everything_but_the_terminal_goes_to_the_file(tmp_path):
    log = tmp_path / "logs" / "run.log"
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(log)],
        cwd=ROOT,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "for the user\nafter\n"
    assert answer.stderr == "error after\n"
    text = log.read_text()
    for each in ("printed", "from C++", "WARNING tensorflow: logged", "UserWarning: warned"):
        assert each in text
    assert "for the user" not in text
