from pathlib import Path

from tandem.pipeline.local import console


def test_a_path_below_is_written_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert console.short(tmp_path / "runs" / "shop") == "runs/shop"
    assert console.short(str(tmp_path / "runs")) == "runs"
    assert console.short(Path("runs")) == "runs"
    assert console.short("/elsewhere/runs") == "/elsewhere/runs"
    assert console.short("gs://bucket/runs") == "gs://bucket/runs"


def test_a_file_is_wider_than_rich_supposes(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console.standard_output().width == 120
    monkeypatch.setenv("COLUMNS", "150")
    assert console.standard_output().width == 150
