import os
import sys

from tandem.pipeline import environment


def test_prepare(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    environment.prepare()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "1"
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0", "a user's own choice stays"
    assert sys.dont_write_bytecode is False
