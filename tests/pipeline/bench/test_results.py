import math

import pytest

from tandem.pipeline.bench import results
from tandem.pipeline.bench.table import ComparisonTable
from tandem.pipeline.configuration.config import load
from tandem.pipeline.sample_logs import read_summary, write_sample_logs
from tandem.pipeline.trials.report import Distribution, Inside
from tandem.pipeline.trials.run_all import TrialOutcomes

OUTPUTS = {"view": "click", "buy_given_view": "sale_given_click", "view_and_buy": "click_and_sale"}


@pytest.fixture
def config(config_file, logs):
    return load(config_file)


@pytest.fixture
def renamed(report):
    """Makes reports with the outputs of the configuration."""

    def make(*arguments, **changed):
        made = report(*arguments, **changed)
        return made.model_copy(update={"metrics": {OUTPUTS[name]: values for name, values in made.metrics.items()}})

    return make


def test_everything_is_written(config, renamed, tmp_path):
    temperatures = {"click/sale": {"none": Distribution(rows=4, mean=0.2, counts=[1, 3], highest=1.0)}}
    inside = Inside(gates={"gate/click": [0.7, 0.3]}, temperatures=temperatures)
    reports = [renamed("mmoe", None, seed, inside=inside) for seed in (1, 2)]
    (tmp_path / "bench").mkdir()
    outcome = results.write(
        config, tmp_path / "bench", 2, TrialOutcomes(reports, {"ple seed 1": "no memory"}, reused=1), 61.0
    )
    assert outcome.files == ("table.md", "table.json", "table.png", "gates.png", "temperature.png")
    assert (outcome.runs, outcome.reused) == (3, 1)
    assert {path.name for path in (tmp_path / "bench").iterdir()} == set(outcome.files)
    assert ComparisonTable.model_validate_json((tmp_path / "bench" / "table.json").read_text()) == outcome.table
    assert "| ple seed 1 | no memory |" in (tmp_path / "bench" / "table.md").read_text()


def test_a_picture_of_an_earlier_benchmark_does_not_stay(config, renamed, tmp_path):
    (tmp_path / "temperature.png").write_bytes(b"of another benchmark")
    outcome = results.write(config, tmp_path, 1, TrialOutcomes([renamed("mmoe")], {}, 0), 1.0)
    assert outcome.files == ("table.md", "table.json", "table.png")
    assert not (tmp_path / "temperature.png").exists()


def test_what_can_be_reached_is_known_of_sample_logs_alone(tmp_path):
    folder = tmp_path / "logs"
    write_sample_logs(folder, 2_000)
    best = read_summary(folder).eval_best["click"]
    assert results.reachable(folder, ["click", "view"]) == {"click": {"auc": best.auc, "gauc": best.gauc}}
    assert results.reachable(tmp_path, ["click"]) == {}
    (folder / "truth" / "summary.json").write_text('{"eval_best": {"click": {"auc": 1}}}')
    assert results.reachable(folder, ["click"]) == {}


def test_a_best_that_is_not_a_number_is_none(tmp_path):
    folder = tmp_path / "logs"
    write_sample_logs(folder, 1_000, seed=6)
    best = read_summary(folder).eval_best
    undefined = [name for name, each in best.items() if math.isnan(each.auc) or math.isnan(each.gauc)]
    assert undefined
    assert not set(undefined) & set(results.reachable(folder, list(best)))
