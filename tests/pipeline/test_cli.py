import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tandem.pipeline import cli
from tandem.pipeline.configuration.errors import ConfigError
from tandem.pipeline.failures import Interrupted, RunError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["report", "--help"], ["bench", "--help"], ["doctor", "--help"], ["--version"]],
)
def test_help_imports_nothing_heavy(arguments):
    code = f"""
import json, sys
from tandem.pipeline import cli
try:
    cli.main({arguments!r})
except SystemExit as end:
    assert end.code in (0, None), end.code
heavy = ("tensorflow", "tfx", "apache_beam", "numpy", "pydantic", "rich", "ruamel.yaml", "polars")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout.splitlines()[-1]) == []
    assert answer.stderr == ""


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("tandem 0.")


def test_no_command_is_an_error(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 2


@pytest.fixture
def calls(monkeypatch):
    """Replaces the library; collects what the command line asks of it."""
    found = []

    def replace(name, answer=None, error=None):
        def call(*arguments, **named):
            found.append((name, *arguments, *named.values()))
            if error is not None:
                raise error
            return answer

        monkeypatch.setattr(name, call)

    replace.found = found
    return replace


def test_run(calls):
    calls("tandem.pipeline.configuration.config.load", "the config")
    calls("tandem.pipeline.local.runner.run", "the result")
    calls("tandem.pipeline.local.closing_table.show")
    assert cli.main(["run", "c.yaml", "--data", "d", "--output", "o", "--set", "a=1", "--set", "b.c=2"]) == 0
    assert calls.found == [
        ("tandem.pipeline.configuration.config.load", "c.yaml", "d", ["a=1", "b.c=2"], "o"),
        ("tandem.pipeline.local.runner.run", "the config"),
        ("tandem.pipeline.local.closing_table.show", "the result"),
    ]


@pytest.mark.parametrize(("failed", "code"), [({}, 0), ({"mmoe seed 1": "no memory"}, 1)])
def test_bench(calls, failed, code):
    outcome = types.SimpleNamespace(table=types.SimpleNamespace(failed=failed))
    calls("tandem.pipeline.configuration.config.load", "the config")
    calls("tandem.pipeline.bench.benchmark.run", outcome)
    calls("tandem.pipeline.bench.terminal.show")
    assert cli.main(["bench", "c.yaml", "--systems", "mmoe", "ple_pico/*", "--seeds", "2", "--output", "o"]) == code
    assert cli.main(["bench", "c.yaml", "--data", "d", "--set", "a=1"]) == code
    assert [call for call in calls.found if call[0] != "tandem.pipeline.bench.terminal.show"] == [
        ("tandem.pipeline.configuration.config.load", "c.yaml", None, [], "o"),
        ("tandem.pipeline.bench.benchmark.run", "the config", ["mmoe", "ple_pico/*"], 2),
        ("tandem.pipeline.configuration.config.load", "c.yaml", "d", ["a=1"], None),
        ("tandem.pipeline.bench.benchmark.run", "the config", None, 3),
    ]


def test_bench_answers_a_wrong_name_with_the_right_ones(tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    arguments = ["--data", str(tmp_path / "logs"), "--output", str(tmp_path / "out"), "--systems", "mmeo"]
    assert cli.main(["bench", str(ROOT / "configs" / "sample.yaml"), *arguments]) == 1
    answer = capsys.readouterr().err
    assert answer.startswith("error: unknown system 'mmeo'; did you mean 'mmoe'? Allowed: aitm, ")
    assert "mmoe_pico/fixed_temperature" in answer
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_doctor(calls, good, code):
    calls("tandem.pipeline.doctor.examine", good)
    assert cli.main(["doctor"]) == code
    assert cli.main(["doctor", "c.yaml", "--data", "d", "--set", "a=1"]) == code
    assert calls.found == [
        ("tandem.pipeline.doctor.examine", None, None, []),
        ("tandem.pipeline.doctor.examine", "c.yaml", "d", ["a=1"]),
    ]


@pytest.mark.parametrize("arguments", [["--set", "a=1"], ["--data", "d"]])
def test_doctor_does_not_pass_over_what_goes_with_a_configuration(capsys, arguments):
    assert cli.main(["doctor", *arguments]) == 1
    assert "go with a configuration" in capsys.readouterr().err


def test_sample(tmp_path, capsys):
    assert cli.main(["sample", str(tmp_path / "logs"), "--impressions", "1000", "--seed", "3"]) == 0
    assert (tmp_path / "logs" / "manifest.json").is_file()
    answer = capsys.readouterr().out
    assert "1,000 impressions" in answer
    assert "click_and_conversion" in answer


def test_sample_refuses_a_folder_with_something_else(tmp_path, capsys):
    (tmp_path / "letter.txt").write_text("dear")
    assert cli.main(["sample", str(tmp_path)]) == 1
    assert "letter.txt" in capsys.readouterr().err


def test_models_lists_every_recipe_ablation_and_comparison(capsys):
    from tandem.models.recipes import RECIPES
    from tandem.models.variants import VARIANTS
    from tandem.pipeline.trials.trial import COMPARISONS

    assert cli.main(["models"]) == 0
    answer = capsys.readouterr().out
    for name, recipe in RECIPES.items():
        assert name in answer
        assert recipe.summary in answer
    for recipe, variants in VARIANTS.items():
        assert re.search(rf"ablations of .*\b{recipe}\b", answer)
        for name, variant in variants.items():
            assert f"{name} " in answer
            assert variant.summary in answer
    for name, summary in COMPARISONS.items():
        assert name in answer
        assert summary in answer


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RunError("Trainer failed: no rows"), 1, "error: Trainer failed: no rows\n"),
        (Interrupted("Trainer"), 130, "interrupted while Trainer was running; the same command goes on"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on"),
    ],
)
def test_errors_are_told_in_words(calls, capsys, error, code, message):
    calls("tandem.pipeline.configuration.config.load", "the config")
    calls("tandem.pipeline.local.runner.run", error=error)
    assert cli.main(["run", "c.yaml"]) == code
    answer = capsys.readouterr().err
    assert answer.startswith(message)
    assert "Traceback" not in answer


def test_debug_shows_the_traceback(calls, capsys):
    calls("tandem.pipeline.configuration.config.load", "the config")
    calls("tandem.pipeline.local.runner.run", error=RunError("no rows"))
    assert cli.main(["run", "c.yaml", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_run_without_thresholds_is_refused_before_it_starts(config_file, capsys):
    text = config_file.read_text()
    config_file.write_text(text[: text.index("  thresholds:")])
    assert cli.main(["run", str(config_file)]) == 1
    assert capsys.readouterr().err.startswith(
        f"{config_file}:24: evaluation.thresholds: there is no threshold, so every model would be pushed, however bad; "
    )


def test_a_bad_configuration_is_told_line_by_line(calls, capsys):
    calls("tandem.pipeline.configuration.config.load", error=ConfigError(["c.yaml:1: a", "c.yaml:2: b"]))
    assert cli.main(["run", "c.yaml"]) == 1
    assert capsys.readouterr().err == "c.yaml:1: a\nc.yaml:2: b\n"


def test_a_terminal_that_knows_ascii_alone_is_shown_other_characters_by_their_code(tmp_path):
    (tmp_path / "größe.yaml").write_text("name: x\ngröße: 1\n", encoding="utf-8")
    code = "from tandem.pipeline import cli; import sys; cli.main(['doctor', 'größe.yaml']); print('größe')"
    ascii_alone = {"PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=ascii_alone
    )
    assert "unknown key 'gr\\xf6\\xdfe'" in answer.stdout
    assert answer.stdout.splitlines()[-1] == "gr\\xf6\\xdfe"
