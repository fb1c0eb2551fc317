"""One answer for all mistakes of a file: none hides another, none is told twice, what only follows is not told."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.pipeline import doctor
from tandem.pipeline.configuration.config import ConfigError, load

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("tensorflow", "tf_keras", "tfx", "apache_beam", "pandas", "polars", "pyarrow", "yaml")


@pytest.fixture
def answer(config_file):
    """Spoils the file (pairs of what stands there and what replaces it) and gives the answer, by key."""

    def answer(*changes, append=""):
        text = config_file.read_text()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after, 1)
        config_file.write_text(text + append)
        with pytest.raises(ConfigError) as error:
            load(config_file)
        found = {}
        for problem in error.value.problems:
            line, key, sentence = re.fullmatch(rf"{config_file}:(\d+): ([^:]+): (.+)", problem).groups()
            assert key not in found
            found[key.partition(" (of ")[0]] = sentence
            assert 1 <= int(line) <= len(config_file.read_text().splitlines())
        return found

    return answer


@pytest.mark.parametrize("threshold", ["metric: acu, output: click", "metric: auc, output: clicks"])
def test_a_misspelt_recipe_a_misspelt_objective_setting_and_a_bad_threshold(answer, threshold):
    found = answer(
        ("metric: auc, output: click", threshold),
        append="model: {recipe: mmoee_pico, objectives: {pico: {betta: 0.1}}}\n",
    )
    assert len(found) == 3
    assert found["model.recipe"].startswith("unknown recipe 'mmoee_pico'; did you mean 'mmoe_pico'? Allowed: ")
    assert found["model.objectives.pico.betta"].startswith("unknown key 'betta'; did you mean 'beta'? Allowed: ")


ONE_MISTAKE_PER_SECTION = (
    ("split:\n", "split:\n    valdation: {before: 2024-03-12}\n"),
    ("{name: price, kind: numeric, buckets: 4}", "{name: price, kind: numeric, buckets: x}"),
    ("{name: hour, kind: categorical}", "{name: hour, column: event, kind: categorical}"),
    ("{name: sale, label: conversion, given: click}", "{name: sale, label: click, given: click}"),
    ("slices: [device", "slices: [{column: stock}, device"),
    ("at_least: 0.6}", "at_least: 0.6}\n    - {metric: gauc, output: sale, at_least: 0.5}"),
)


def test_a_mistake_in_every_section(answer):
    found = answer(
        *ONE_MISTAKE_PER_SECTION,
        append="model: {recipe: ple, dropout: 1, backbone: {levls: 2}}\n"
        "training: {epochs: 0, early_stopping: {task: sail}}\n"
        "schema_file: none.pbtxt\n"
        "statistics: {skew: stops}\n"
        "push: {model_name: a/b}\n"
        "beam: {args: --x}\n",
    )
    assert list(found) == [  # as they stand in the file
        "logs.split.valdation",
        "features[3].buckets",
        "features[4].column",
        "tasks[1].label",
        "evaluation.slices[0].edges",
        "evaluation.thresholds[1].output",
        "model.dropout",
        "model.backbone.levls",
        "training.epochs",
        "training.early_stopping.task",
        "schema_file",
        "statistics.skew",
        "push.model_name",
        "beam.args",
    ]


@pytest.mark.parametrize(
    ("changes", "append", "keys"),
    [
        # What a misspelt key says is not held to be missing, nor at its default.
        ([("evaluation:", "evaluaton:")], "", ["evaluaton"]),
        ([("  thresholds:", "  treshold:")], "", ["evaluation.treshold"]),
        ([("data_dir:", "data_dri:")], "", ["data_dri"]),
        ([], "modle: {recipe: man, steps: {meta: {share: 0}}}\n", ["modle"]),
        ([("at_least: 0.6", "at_leest: 0.6")], "", ["evaluation.thresholds[0].at_leest"]),
        ([("{name: click}", "{name: click, lable: x}")], "", ["tasks[0].lable"]),
        ([("label: conversion", "lable: conversion")], "", ["tasks[1].lable"]),
        (
            [("split:\n", "split:\n    valdation: {before: 2024-03-12}\n")],
            "training: {early_stopping: {patience: 2}}\n",
            ["logs.split.valdation"],
        ),
        ([("clicks: {files", "clicks: {fils")], "", ["logs.clicks.fils"]),
        # What depends on the tasks waits until they are sound.
        ([("given: click}", "given: clik}"), ("output: click", "output: sale")], "", ["tasks"]),
        ([("given: click}", "give: click}"), ("output: click", "output: sale_given_click")], "", ["tasks[1].give"]),
        (
            [("given: click}", "given: 3}")],
            "model: {recipe: mmoe_pico, objectives: {pico: {pairs: [[sale, click]]}}}\n",
            ["tasks[1].given"],
        ),
        # Without users there is no GAUC to bound.
        (
            [("slices: [device", "group_by: null\n  slices: [device"), ("metric: auc", "metric: gauc")],
            "modle: {}\n",
            ["modle", "evaluation"],
        ),
        # A slice that is wrong may be the one that a threshold means.
        (
            [
                ("slices: [device", "slices: [{colum: stock, edges: [1]}, device"),
                ("at_least", "slice: stock, at_least"),
            ],
            "",
            ["evaluation.slices[0].column", "evaluation.slices[0].colum"],
        ),
        # The recipe is told; what it would have been built of is not guessed.
        (
            [],
            "model: {recipe: plee, backbone: {experts: 2}, steps: {plain: {}}, balancer: {}}\n",
            ["model.recipe"],
        ),
    ],
)
def test_what_only_follows_is_not_told(answer, changes, append, keys):
    found = answer(*changes, append=append)
    assert set(found) <= set(keys)
    assert keys[-1] in found


@pytest.mark.parametrize(
    ("changes", "append", "keys"),
    [
        # two in one section
        (
            [
                ("eval: {from: 2024-03-13}", "eval: {from: 2024-03-12}"),
                ("  derived:", "  max_bad_share: 7\n  derived:"),
            ],
            "",
            {"logs", "logs.max_bad_share"},
        ),
        # two in one element, one of them about other settings
        (
            [("{name: hour, kind: categorical}", "{name: hour, column: event, kind: categorical, min_cuont: 3}")],
            "",
            {"features[4].column", "features[4].min_cuont"},
        ),
        (
            [("{name: sale, label: conversion, given: click}", "{name: sale, label: click, los_weight: 1}")],
            "",
            {"tasks[1].label", "tasks[1].los_weight"},
        ),
        (
            [("{name: price, kind: numeric, buckets: 4}", "{name: price, kind: numric, bukets: 4}")],
            "",
            {"features[3]", "features[3].bukets"},
        ),
        (
            [("output: click, at_least: 0.6", "output: clicks, at_least: 0.6, at_most: x")],
            "",
            {"evaluation.thresholds[0].output", "evaluation.thresholds[0].at_most"},
        ),
        (
            [("output: click, at_least: 0.6", "output: clicks, at_least: 0.6, at_most: 0.5, refuse: x")],
            "",
            {
                "evaluation.thresholds[0].output",
                "evaluation.thresholds[0]",
                "evaluation.thresholds[0].refuse",
            },
        ),
        (
            [],
            "training: {xla: true, precision: bfloat16, seed: x, early_stopping: {patience: -1, task: sail}}\n",
            {"training", "training.seed", "training.early_stopping.patience", "training.early_stopping.task"}
            | {"training.early_stopping"},
        ),
    ],
)
def test_two_mistakes_in_one_place_are_both_told(answer, changes, append, keys):
    assert set(answer(*changes, append=append)) == keys


def test_thresholds_are_held_against_slices_one_by_one(config_file):
    more = [
        "{metric: auc, output: click, at_least: 0.7}",
        "{metric: gauc, output: click, slice: city, at_least: 0.5}",
        "{metric: gauc, output: click, slice: [hour, city], at_least: 0.5}",
        "{metric: gauc, output: click, at_most: x}",
    ]
    config_file.write_text(config_file.read_text() + "".join(f"    - {threshold}\n" for threshold in more))
    with pytest.raises(ConfigError) as error:
        load(config_file)
    assert [problem.partition("shop.yaml:")[2].split("; ")[0] for problem in error.value.problems] == [
        "24: evaluation: thresholds: 'at_least' for auc of click comes twice for the same slice",
        "24: evaluation: thresholds: ['city'] is not among the slices",
        "24: evaluation: thresholds: ['city', 'hour'] is not among the slices",
        "31: evaluation.thresholds[4].at_most: got 'x', expected a number",
    ]


def test_parents_that_are_no_tasks_are_told_one_by_one(answer, config_file):
    config_file.write_text(config_file.read_text().replace("given: click}", "given: x}\n  - {name: a, given: y}"))
    with pytest.raises(ConfigError) as error:
        load(config_file)
    told = [problem.rpartition("tasks: ")[2] for problem in error.value.problems if "which is no task" in problem]
    assert [sentence.split(",")[0] for sentence in told] == ["task 'sale' is given 'x'", "task 'a' is given 'y'"]


def test_features_that_do_not_fit_together_are_all_told(config_file):
    twice = "  - {name: item, kind: categorical}\n  - {name: more, kind: bag, vocabulary: item, min_count: 3}\n"
    config_file.write_text(config_file.read_text().replace("tasks:\n", f"{twice}tasks:\n"))
    with pytest.raises(ConfigError) as error:
        load(config_file)
    sentences = [problem.partition(": features: ")[2] for problem in error.value.problems]
    assert sentences[0] == "feature names must differ; twice: ['item']"
    assert sentences[1].startswith("feature 'more' shares vocabulary 'item' but asks for (vocabulary_size, min_count")
    assert len(sentences) == 2


def test_the_data_folder_is_missed_beside_other_mistakes_and_told_last(config_file):
    text = config_file.read_text().replace("data_dir: logs\n", "").replace("0.6}", "x}")
    config_file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(config_file)
    assert [re.sub(r".*shop.yaml", "", problem).split(" ")[1] for problem in error.value.problems] == [
        "evaluation.thresholds[0].at_least:",
        "no",
    ]


# --- The commands ---


@pytest.fixture
def wrong(config_file):
    """A file with three mistakes."""
    text = config_file.read_text().replace("output: click,", "output: clicks,")
    config_file.write_text(text + "model: {recipe: mmoee_pico, objectives: {pico: {betta: 0.1}}}\n")
    return config_file


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "FILE"],
        ["doctor", "FILE"],
        ["bench", "FILE"],
        ["compile", "FILE"],
        ["report", "FILE"],
        ["models"],
        ["schema"],
        ["bench", "SOUND", "--systems", "mmeo"],
    ],
)
def test_an_answer_about_settings_costs_no_heavy_import(wrong, logs, arguments):
    sound = ROOT / "configs" / "sample.yaml"
    names = {"FILE": str(wrong), "SOUND": str(sound)}
    arguments = [names.get(each, each) for each in arguments] + (["--data", str(logs)] if "SOUND" in arguments else [])
    code = f"""
import json, sys
from tandem.pipeline import cli
code = cli.main({arguments!r})
print(json.dumps([code, [name for name in {HEAVY} if name in sys.modules]]), file=sys.stderr)
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    *told, last = answer.stderr.splitlines()
    assert json.loads(last)[1] == []
    if str(wrong) in arguments:
        assert json.loads(last)[0] == 1
        lines = answer.stdout.splitlines() if arguments[0] == "doctor" else told
        assert len([line for line in lines if f"{wrong}:" in line]) == 3


@pytest.mark.parametrize(
    "overrides", [(), ("model.recipe=mmoe_pico",), ("training.batch_size=x", "tasks[1].given=3"), ("nobody",)]
)
def test_doctor_and_run_give_the_same_answer(wrong, overrides):
    with pytest.raises(ConfigError) as error:
        load(wrong, overrides=overrides)
    found = [finding.text for finding in doctor.findings(str(wrong), None, overrides) if finding.status == "fail"]
    assert tuple(found[-len(error.value.problems) :]) == error.value.problems
