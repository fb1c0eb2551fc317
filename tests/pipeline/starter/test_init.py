import gzip

import pytest

from tandem.components.log_example_gen.sources import LogsError
from tandem.pipeline import cli
from tandem.pipeline.configuration import config
from tandem.pipeline.doctor.logs import data_files
from tandem.pipeline.sample_logs import write_sample_logs
from tandem.pipeline.starter import init


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    return tmp_path


def written(name, *patterns, **options):
    return list(init.write(name, patterns, **options))


def test_sample_logs_become_a_configuration_that_reads_them(here):
    write_sample_logs(here / "logs", 3000, 7)
    told = written("shop", "logs")
    assert told[0] == "shop.yaml: written"
    assert told[1:4] == [
        "  impressions: impressions-00000.csv.gz, time: time_ms (ms)",
        "  clicks: clicks-00000.csv.gz, time: time_ms (ms)",
        "  conversions: conversions-00000.csv.gz, time: time_ms (ms)",
    ]
    assert "  not used: carts-00000.csv.gz" in told
    settings = config.load("shop.yaml")
    assert [task.name for task in settings.tasks] == ["click", "conversion"]
    assert {side.key for side in settings.logs.side_tables} == {"user_id", "item_id"}
    assert {check.status for check in data_files(settings)} == {"ok"}


def test_numbered_files_become_a_glob_if_it_means_them_alone(here):
    for day in ("01", "02", "03"):
        with gzip.open(here / f"ratings-{day}.csv.gz", "wt") as file:
            file.write("user,click,hour\n" + "".join(f"u{n},{n % 2},{n % 24}\n" for n in range(50)))
    written("all_days", "ratings-*.csv.gz")
    assert "files: ratings-*.csv.gz" in (here / "all_days.yaml").read_text()
    written("two_days", "ratings-01.csv.gz", "ratings-02.csv.gz")
    assert "files: [ratings-01.csv.gz, ratings-02.csv.gz]" in (here / "two_days.yaml").read_text()


def test_nothing_is_replaced_unasked(here):
    (here / "shop.yaml").write_text("mine")
    with pytest.raises(ValueError, match=r"shop\.yaml is there already; .* or replace it with --force"):
        written("shop", like="sample")
    written("shop", like="sample", replace=True)
    assert (here / "shop.yaml").read_text() != "mine"


def test_a_copy_of_one_that_comes_along(here):
    assert written("shop", like="sample") == ["shop.pbtxt: written", "shop.yaml: written, a copy of sample"]
    settings = config.load("shop.yaml", data=str(here))
    assert settings.name == "shop"
    assert settings.schema_path == here / "shop.pbtxt"
    with pytest.raises(ValueError, match=r"unknown configuration 'smaple'; did you mean 'sample'\?"):
        written("other", like="smaple")


@pytest.mark.parametrize(
    ("name", "patterns", "message"),
    [
        ("My-Shop", ["x"], "got the name 'My-Shop', expected lower-case letters"),
        ("shop", [], r"name the files of your logs: tandem init shop FILE \.\.\. \(or copy .* --like sample\)"),
        ("shop", ["nothing"], r"there is no file of a known format \(\.csv, .*\) for 'nothing'"),
        ("shop", ["notes.txt"], "notes.txt: unknown ending"),
        ("shop", ["empty.csv"], "empty.csv is empty: it has not even a header"),
    ],
)
def test_what_is_wrong_is_said(here, name, patterns, message):
    (here / "notes.txt").write_text("hello")
    (here / "empty.csv").write_text("")
    with pytest.raises((ValueError, LogsError), match=message):
        written(name, *patterns)
    assert not (here / "shop.yaml").exists()


def test_the_command(here, capsys):
    rows = "".join(f"u{n % 9},{n % 2},{1_709_251_200 + n * 9000}\n" for n in range(90))
    (here / "table.csv").write_text(f"user,click,time\n{rows}")
    assert cli.main(["init", "shop", "table.csv"]) == 0
    assert capsys.readouterr().out.startswith(
        "shop.yaml: written\n  table: table.csv, time: time (s)\n  labels: click\n"
    )
    assert cli.main(["init", "shop", "table.csv"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert cli.main(["init", "shop", "table.csv", "--force"]) == 0
