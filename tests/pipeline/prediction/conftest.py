"""A model whose answers are worked out by hand: it counts tags, and reads a price and an hour."""

import json
from pathlib import Path

import pytest

from tandem.pipeline.prediction import predict

FEATURES = [
    {"name": "user", "column": "user_id", "kind": "categorical"},
    {"name": "tags", "kind": "bag", "separator": ","},
    {"name": "price", "kind": "numeric"},
    {"name": "hour", "kind": "categorical"},
]
OUTPUTS = ["click", "sale_given_click", "click_and_sale"]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder above two versions; the older one is no model.

    click: a tenth per tag; sale_given_click: a hundredth of the price, 0.5 without one; click_and_sale: a hundredth of
    the hour, 1 without one.
    """
    import tensorflow as tf

    spec = {
        "user_id": tf.io.VarLenFeature(tf.string),
        "tags": tf.io.VarLenFeature(tf.string),
        "price": tf.io.VarLenFeature(tf.float32),
        "hour": tf.io.VarLenFeature(tf.string),
    }

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
        def serve(self, examples):
            raw = tf.io.parse_example(examples, spec)
            tags = tf.cast(tf.strings.length(tf.sparse.to_dense(raw["tags"], default_value="")) > 0, tf.float32)
            price = tf.sparse.to_dense(raw["price"], default_value=50.0)
            hour = tf.sparse.to_dense(raw["hour"], default_value="100")
            rows = tf.shape(examples)

            def first(values, default):
                padded = tf.concat([values, tf.fill([rows[0], 1], default)], axis=1)
                return padded[:, 0]

            return {
                "click": tf.reduce_sum(tags, axis=1) / 10,
                "sale_given_click": first(price, 50.0) / 100,
                "click_and_sale": tf.strings.to_number(first(hour, "100")) / 100,
            }

    folder = tmp_path_factory.mktemp("models") / "shop"
    (folder / "99").mkdir(parents=True)
    made = Model()
    tf.saved_model.save(made, str(folder / "17"), signatures={"serving_default": made.serve})
    described = {"outputs": OUTPUTS, "inputs": ["hour", "price", "tags", "user_id"], "config": {"features": FEATURES}}
    (folder / "17" / "assets.extra").mkdir()
    (folder / "17" / "assets.extra" / "tandem.json").write_text(json.dumps(described))
    return folder


@pytest.fixture
def rows(tmp_path, monkeypatch) -> Path:
    """Three rows with all that the model takes, and one line too short, which may be."""
    monkeypatch.setattr(predict, "MAX_BAD_SHARE", 0.3)
    path = tmp_path / "rows.csv"
    path.write_text('user_id,tags,price,hour,note\nu1,"a,b",20,7,x\nu2,,,,"y ""z"""\nu3,c\nu4,"a,b,c",12.5,23,\n')
    return path


@pytest.fixture
def shop(tmp_path, model, monkeypatch) -> Path:
    """A configuration whose logs derive the hour and join tags and price; its model is the one above."""
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "items-0.csv").write_text('id,tags,price\ni1,"a,b",20\ni1,z,99\n')
    (logs / "items-1.csv").write_text("id,tags,price\ni2,,7.5\n,,1\n")
    path = tmp_path / "shop.yaml"
    path.write_text(
        f"""
name: shop
data_dir: logs
logs:
  impressions: {{files: "never-*.txt", format: csv, delimiter: "|", rename: {{user: user_id}},
                 time: {{column: at, unit: s}}}}
  clicks: {{files: "clicks*.csv", time: {{column: at, unit: s}}}}
  join: {{on: impression_id}}
  side_tables: [{{name: items, files: "items-*.csv", key: item_id, rename: {{id: item_id}}}}]
  derived: {{hour: hour_of_day}}
  split: {{train: {{before: 2024-03-11}}, eval: {{from: 2024-03-13}}}}
features: {json.dumps(FEATURES)}
tasks: [{{name: click}}]
evaluation: {{group_by: user_id, thresholds: [{{metric: auc, output: click, at_least: 0.6}}]}}
push: {{directory: {json.dumps(str(model.parent))}}}
"""
    )
    return path
