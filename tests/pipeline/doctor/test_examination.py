import io
import os
import re

import pytest
from rich.console import Console

from tandem.pipeline.configuration.config import load
from tandem.pipeline.doctor import examination, installation, machine, settings
from tandem.pipeline.doctor import logs as logs_of
from tandem.pipeline.doctor.check import Check


def texts(found, status):
    return [finding.text for finding in found if finding.status == status]


def test_memory_is_the_smaller_of_machine_and_container(tmp_path):
    meminfo, cgroup = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemTotal:       16777216 kB\nMemFree: 1 kB\n")
    assert machine.memory_gib(meminfo, cgroup) == 16.0
    cgroup.write_text("max\n")
    assert machine.memory_gib(meminfo, cgroup) == 16.0
    cgroup.write_text(f"{2 * 2**30}\n")
    assert machine.memory_gib(meminfo, cgroup) == 2.0
    assert machine.memory_gib(tmp_path / "none", tmp_path / "none") is None


def test_packages_against_the_lock(tmp_path):
    import pydantic

    lock = f"pydantic=={pydantic.VERSION} \\\n    --hash=sha256:1\nrich==0.1\nno-such-package==1.2 \\\n    # via x==3\n"
    wrong = list(installation.mismatches(lock))
    assert len(wrong) == 2
    assert wrong[0].endswith("is installed, the lock says 0.1")
    assert wrong[1] == "package no-such-package is not installed; the lock says 1.2"


def test_the_environment(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.txt"
    lock.write_text("".join(f"no-such-package-{number}==1\n" for number in range(12)))
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    failed = texts(installation.environment(lock), "fail")
    assert "and 2 more packages; `make run` installs what the lock says" in failed
    assert "TF_USE_LEGACY_KERAS is '0', must be '1'" in failed


def test_without_a_lock_what_the_wheel_declares_counts(tmp_path, monkeypatch):
    declared = ["pydantic>=2", "rich<1", "no-such-package>=1", "lightgbm==0.1; extra == 'bench'"]
    monkeypatch.setattr(installation.importlib.metadata, "requires", lambda name: declared)
    failed = [text for text in texts(installation.environment(tmp_path / "none"), "fail") if text.startswith("package")]
    assert len(failed) == 2
    assert re.fullmatch(r"package rich: [\d.]+ is installed, Tandem needs <1", failed[0])
    assert failed[1] == "package no-such-package is not installed; Tandem needs >=1"


def test_an_installed_environment_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.importlib.metadata, "requires", lambda name: ["pydantic>=2"])
    assert "packages: all as Tandem declares" in texts(installation.environment(tmp_path / "none"), "ok")


def test_the_machine_names_what_it_has():
    found = list(machine.machine())
    assert any(text.startswith("Python 3.10") for text in texts(found, "ok"))
    assert any("processor" in finding.text for finding in found)


def test_a_sound_configuration(config_file, logs):
    found = list(examination.findings(str(config_file), None))
    configured = [finding for finding in found if "package" not in finding.text]
    assert texts(configured, "fail") == []
    ok = texts(found, "ok")
    assert f"{config_file}: valid; 5 features, 2 tasks" in ok
    assert "recipe 'shared_bottom' takes these settings" in ok
    assert "split: train, eval; at least 48 hours (the windows) lie between the parts" in ok
    assert any(text.startswith("impressions: 1 file, ") for text in ok)
    assert "all 6 columns of features, slices and user groups are there" in ok


def test_every_problem_of_the_configuration_is_a_line(config_file):
    config_file.write_text(config_file.read_text() + "speed: 3\nmodle: {}\n")
    failed = texts(examination.findings(str(config_file), None), "fail")
    assert any("unknown key 'speed'" in text for text in failed)
    assert any("unknown key 'modle'; did you mean 'model'?" in text for text in failed)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.recipe=mmo", "--set: model.recipe: unknown recipe 'mmo'; did you mean "),
        ("model.backbone={expert: 3}", "--set: model.backbone.expert: unknown key 'expert'; allowed: layers"),
        ("model.objectives={pico: {}}", "--set: model.objectives.pico: recipe 'shared_bottom' has no objective 'pico'"),
    ],
)
def test_a_recipe_that_cannot_be_built(config_file, override, expected):
    found = examination.findings(str(config_file), None, [override])
    failed = [text for text in texts(found, "fail") if "package" not in text]
    assert len(failed) == 1
    assert expected in failed[0]


def test_a_run_without_thresholds_is_refused_with_what_to_write(config_file):
    text = config_file.read_text()
    config_file.write_text(text[: text.index("evaluation:")])
    (failed,) = [text for text in texts(examination.findings(str(config_file), None), "fail") if "package" not in text]
    assert failed == (
        "shop.yaml: evaluation: there is no threshold, so every model would be pushed, however bad; say what a model "
        "has to keep, such as evaluation: {thresholds: [{metric: auc, output: click, at_least: 0.6}]}"
    ).replace("shop.yaml", str(config_file))


def test_thresholds_that_only_compare_are_warned_of(config_file):
    bound = "{metric: auc, output: click, not_worse_than_blessed_by: 0.1}"
    config = load(config_file, overrides=[f"evaluation.thresholds=[{bound}]"])
    (warning,) = texts(settings.thresholds(config), "warn")
    assert warning.startswith("every threshold compares with the model pushed last, so the first model is pushed")
    assert texts(settings.thresholds(load(config_file)), "warn") == []


def test_missing_files_and_columns(config_file, logs):
    config = load(config_file, overrides=["features[1].column=sku"])
    assert any("sku" in text for text in texts(logs_of.data_files(config), "fail"))
    (logs / "items.csv").unlink()
    failed = texts(logs_of.data_files(load(config_file)), "fail")
    assert any(text.startswith("items: no file matches 'items.csv' in ") for text in failed)


def test_folders(config_file, tmp_path):
    assert texts(settings.folders(load(config_file)), "fail") == []
    assert not (tmp_path / "runs").exists()
    (tmp_path / "runs").write_text("a file")
    failed = texts(settings.folders(load(config_file)), "fail")
    assert len(failed) == 2
    assert all(text.endswith(f"{tmp_path / 'runs'} is a file") for text in failed)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in settings.write_problem(tmp_path / "runs")


@pytest.mark.parametrize(("status", "good"), [("ok", True), ("warn", True), ("fail", False)])
def test_examine_prints_and_judges(monkeypatch, status, good):
    monkeypatch.setattr(examination, "findings", lambda config, data, overrides: [Check(status, "the [text]")])
    console = Console(file=io.StringIO())
    assert examination.examine(console=console) is good
    answer = console.file.getvalue()
    assert "the [text]" in answer
    assert ("all good" in answer) is good
