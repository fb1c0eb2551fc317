"""The whole step on small artifacts: folders in, a page out."""

import dataclasses
import json
import re

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.experimental import simple_artifacts

from tandem.components.evaluator.results import write_curves, write_metrics, write_verdict
from tandem.components.log_example_gen.counts import Counts
from tandem.components.run_report.component import RunReport, RunReportSpec
from tandem.components.run_report.executor import Executor, gather
from tandem.components.run_report.settings import LookedUpFeature, OutputSettings, ReportSettings, VocabularySettings

SETTINGS = ReportSettings(
    name="shop",
    outputs=(
        OutputSettings(name="click", task="click", label="click", given=None),
        OutputSettings(name="conversion_given_click", task="conversion", label="conversion", given="click"),
        OutputSettings(name="click_and_conversion", task="conversion", label="conversion", given=None),
    ),
    group_by="user_id",
    periods={"train": "before 2024-03-11", "eval": "from 2024-03-13"},
    looked_up=(LookedUpFeature(name="city", vocabulary="city", start=0, width=1),),
    vocabularies=(VocabularySettings(name="city", limit=None, min_count=1, first_oov_row=1, oov_buckets=1),),
    ids_width=1,
    configuration="name: shop\n",
    data="/data",
    commit=None,
    code_versions={"Trainer": "abc"},
)


@pytest.fixture
def inputs(full, tmp_path):
    """By input, an artifact with what a run leaves in it; without curves, drift and history."""
    found = {}
    for index, (name, channel) in enumerate(RunReportSpec.INPUTS.items()):
        (artifact,) = [channel.type()]
        artifact.uri = str(tmp_path / name)
        artifact.id = index + 1
        (tmp_path / name).mkdir()
        found[name] = [artifact]
    write_metrics(str(tmp_path / "evaluation"), full.metrics)
    write_verdict(str(tmp_path / "evaluation"), full.verdict)
    counts = Counts.from_json(
        json.dumps(
            {
                "rows": {"items": 3, "impressions": 6},
                "outcomes": {"impressions": {"examples.train": 4, "examples.eval": 2}, "items": {"kept": 3}},
                "positives": {"train": {"click": 1}, "eval": {}},
                "unmatched": {},
                "unreadable": {},
                "not_final": {"eval": {"buy": 3, "click": 0}},
                "observed_until_us": None,
                "first_us": None,
                "last_us": None,
            }
        )
    )
    (tmp_path / "quarantine" / "counts.json").write_text(counts.to_json())
    for name in ("examples", "statistics", "anomalies", "transformed_examples"):
        found[name][0].split_names = artifact_utils.encode_split_names(["train", "eval"])
    for split, ids in (("train", [2, 2, 2, 1]), ("eval", [1, 2])):
        message = statistics_pb2.DatasetFeatureStatisticsList()
        message.datasets.add(num_examples=len(ids))
        folder = tmp_path / "statistics" / f"Split-{split}"
        folder.mkdir()
        (folder / "FeatureStats.pb").write_bytes(message.SerializeToString())
        folder = tmp_path / "transformed_examples" / f"Split-{split}"
        folder.mkdir()
        with tf.io.TFRecordWriter(str(folder / "transformed_examples-00000-of-00001.gz"), "GZIP") as writer:
            for one in ids:
                feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[one]))
                writer.write(tf.train.Example(features=tf.train.Features(feature={"ids": feature})).SerializeToString())
    assets = tmp_path / "transform_graph" / "transform_fn" / "assets"
    assets.mkdir(parents=True)
    (assets / "vocabulary").write_text("city=x\n")
    baseline = found["baseline"][0]
    baseline.set_int_custom_property("has_model", 1)
    baseline.set_int_custom_property("version", 41)
    pushed = found["pushed_model"][0]
    pushed.set_int_custom_property("pushed", 0)
    return found


def test_a_run_becomes_a_page(inputs, tmp_path):
    output = simple_artifacts.File()
    output.uri = str(tmp_path / "report" / "1")
    Executor().Do(inputs, {"report": [output]}, {"settings": SETTINGS.model_dump_json()})
    text = (tmp_path / "report" / "1" / "report.html").read_text()
    assert "<h1>Do not ship: 1 of 10 bounds is not kept" in text
    assert "Compared with the last blessed model, version 41" in text
    assert "The evaluation left no curves of this output" in text
    assert "Neither drift nor skew was measured" in text
    assert re.search(r"not under version control", text)


def test_what_is_gathered(inputs):
    facts = gather(inputs, SETTINGS)
    assert facts.curves is None
    assert facts.shifts is None
    assert facts.not_final == {"buy": 3}
    assert facts.history == ()
    assert [(source.name, source.rows) for source in facts.sources] == [("impressions", 6), ("items", 3)]
    assert [(split.name, split.examples, split.first) for split in facts.splits] == [
        ("train", 4, None),
        ("eval", 2, None),
    ]
    assert [(each.split, each.unknown, each.values) for each in facts.unknown] == [("train", 1, 4), ("eval", 1, 2)]
    assert facts.vocabularies[0].values == 1
    assert facts.push.pushed is False
    assert {record.role for record in facts.lineage.artifacts} == set(RunReportSpec.INPUTS)
    assert facts.lineage.packages["tensorflow"] == tf.__version__


def test_what_an_evaluation_and_a_validator_add_is_read(inputs, full, tmp_path):
    write_curves(str(tmp_path / "evaluation"), full.curves)
    shifts = [dataclasses.asdict(each) for each in full.shifts]
    (tmp_path / "anomalies" / "drift.json").write_text(json.dumps(shifts))
    (tmp_path / "model_run" / "history.json").write_text(json.dumps([{"epoch": 1, "click": 0.2}]))
    inputs["pushed_model"][0].set_int_custom_property("pushed", 1)
    inputs["pushed_model"][0].set_string_custom_property("pushed_version", "42")
    inputs["baseline"][0].set_int_custom_property("has_model", 0)
    inputs["baseline"][0].set_string_custom_property("reason", "none is pushed")
    facts = gather(inputs, SETTINGS)
    assert facts.curves == full.curves
    assert facts.shifts == full.shifts
    assert facts.history == ({"epoch": 1, "click": 0.2},)
    assert (facts.push.pushed, facts.push.version) == (True, "42")
    assert (facts.baseline, facts.no_baseline) == ("", "none is pushed")


def test_the_component_needs_all_of_its_inputs():
    channels = {name: types.Channel(type=channel.type) for name, channel in RunReportSpec.INPUTS.items()}
    component = RunReport(SETTINGS, **channels)
    assert ReportSettings.model_validate_json(component.exec_properties["settings"]) == SETTINGS
    assert component.outputs["report"].type is simple_artifacts.File
    del channels["statistics"]
    with pytest.raises(ValueError, match="statistics"):
        RunReport(SETTINGS, **channels)
    assert RunReportSpec.INPUTS["model"].type is standard_artifacts.Model
