"""A real model, from logs to the push: scoring the logs again gives what the evaluation judged."""

import io
import json

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from sklearn.metrics import roc_auc_score

from tandem.pipeline.configuration.config import load
from tandem.pipeline.local import runner
from tandem.pipeline.prediction import predict

SHOP = """
name: shop
data_dir: .
logs:
  impressions: {files: impressions.csv, time: {column: time, unit: ms}}
  clicks: {files: clicks.csv, time: {column: time, unit: ms}}
  side_tables: [{name: items, files: items.csv, key: item}]
  derived: {hour: hour_of_day}
  join: {on: id, click_window_hours: 1}
  observed_until: 2024-03-18
  split: {train: {before: 2024-03-11}, eval: {from: 2024-03-12}}
features:
  - {name: user, kind: categorical}
  - {name: item, kind: categorical}
  - {name: price, kind: numeric, buckets: 5}
  - {name: weight, kind: numeric}
  - {name: tags, kind: bag, separator: " "}
  - {name: hour, kind: categorical}
tasks: [{name: click}]
model: {recipe: shared_bottom, embedding_dim: 4, tower_layers: [8]}
training: {batch_size: 50, epochs: 3, learning_rate: 0.05}
evaluation: {group_by: user, thresholds: [{metric: auc, output: click, at_least: 0.1}]}
"""


@pytest.mark.e2e
def test_scores_are_those_of_the_evaluation(tmp_path):
    rng = np.random.default_rng(3)
    rows, start = 1500, 1_709_251_200_000
    item = rng.integers(0, 30, rows)
    impressions = pl.DataFrame(
        {
            "id": np.arange(rows),
            "time": start + np.arange(rows) * (16 * 86_400_000 // rows),
            "user": [f"u{n}" for n in rng.integers(0, 40, rows)],
            "item": [f"i{n}" for n in item],
            "weight": [f"{n:.3f}" if n < 2 else "" for n in rng.normal(size=rows)],
        }
    )
    clicked = rng.random(rows) < np.where(item % 3 == 0, 0.7, 0.2)
    impressions.write_csv(tmp_path / "impressions.csv")
    impressions.filter(pl.Series(clicked)).select("id", pl.col("time") + 60_000).write_csv(tmp_path / "clicks.csv")
    pl.DataFrame(
        {
            "item": [f"i{n}" for n in range(29)],
            "price": [n * 1.5 for n in range(29)],
            "tags": [f"t{n % 3} t{n % 5}" for n in range(29)],
        }
    ).write_csv(tmp_path / "items.csv")
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    config = load(file, output=str(tmp_path / "out"))
    runner.run(config, Console(file=io.StringIO()))

    judging = impressions.filter(pl.col("time") >= start + 11 * 86_400_000)
    judging.write_csv(tmp_path / "judging.csv")
    out = tmp_path / "scores.parquet"
    predict.write(
        str(file),
        [str(tmp_path / "judging.csv")],
        str(out),
        overrides=[f"output={tmp_path / 'out'}"],
        console=Console(file=io.StringIO()),
    )
    scores = pl.read_parquet(out)
    labels = clicked[scores["id"].cast(pl.Int64).to_numpy()]
    (file,) = (tmp_path / "out" / "artifacts" / "ModelEvaluator" / "evaluation").glob("*/metrics.json")
    overall = {each["metric"]: each["value"] for each in json.loads(file.read_text()) if not each["slice"]}
    assert overall["example_count"] == len(scores)
    assert roc_auc_score(labels, scores["p_click"].to_numpy()) == pytest.approx(overall["auc"], abs=1e-12)
    assert scores["p_click"].mean() / labels.mean() == pytest.approx(overall["calibration"], rel=1e-6)
