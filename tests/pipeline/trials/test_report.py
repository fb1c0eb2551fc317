from tandem.pipeline.trials.report import read_report, write_report


def test_a_report_comes_back_as_it_was(report, tmp_path):
    path = tmp_path / "mmoe" / "as_it_is" / "seed-1.json"
    write_report(path, report("mmoe"))
    assert read_report(path, "d") == report("mmoe")
    assert [each.name for each in path.parent.iterdir()] == ["seed-1.json"]


def test_a_report_of_something_else_or_half_a_report_is_none(report, tmp_path):
    path = tmp_path / "seed-1.json"
    assert read_report(path, "d") is None
    write_report(path, report("mmoe"))
    assert read_report(path, "other") is None
    path.write_text(path.read_text()[:100])
    assert read_report(path, "d") is None
