from __future__ import annotations

import json
import logging
import pathlib
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.local import local_dag_runner
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from tandem.components.example_validator.component import ExampleValidator
from tandem.components.example_validator.executor import DataAnomaliesError, Executor

if TYPE_CHECKING:
    from collections.abc import Callable

_SCHEMA = """
feature { name: "city" type: BYTES domain: "city" presence { min_fraction: 1 min_count: 1 } }
feature { name: "age" type: FLOAT float_domain { min: 0 max: 100 } presence { min_fraction: 1 min_count: 1 } }
string_domain { name: "city" value: "a" value: "b" }
"""
_GOOD = pd.DataFrame({"city": ["a", "b"] * 20, "age": [1.0, 99.0] * 20})


@pytest.fixture
def validate(tmp_path: pathlib.Path) -> Callable[..., standard_artifacts.ExampleAnomalies]:
    def run(
        splits: dict[str, pd.DataFrame],
        exclude_splits: str = "[]",
        schema_file: str | None = None,
        schema_text: str = _SCHEMA,
        **further: str,
    ) -> standard_artifacts.ExampleAnomalies:
        root = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        statistics = standard_artifacts.ExampleStatistics()
        statistics.uri = str(root / "statistics")
        statistics.split_names = artifact_utils.encode_split_names(list(splits))
        statistics.span = 0
        for split, rows in splits.items():
            folder = root / "statistics" / f"Split-{split}"
            folder.mkdir(parents=True)
            proto = tfdv.generate_statistics_from_dataframe(rows)
            (folder / "FeatureStats.pb").write_bytes(proto.SerializeToString())
            assert stats_artifact_utils.load_statistics(statistics, split).proto() == proto
        schema = standard_artifacts.Schema()
        schema.uri = str(root / "schema")
        (root / "schema").mkdir()
        (root / "schema" / "schema.pbtxt").write_text(schema_text)
        anomalies = standard_artifacts.ExampleAnomalies()
        anomalies.uri = str(root / "anomalies")
        properties = {
            "exclude_splits": exclude_splits,
            **({"schema_file": schema_file} if schema_file else {}),
            **further,
        }
        Executor().Do({"statistics": [statistics], "schema": [schema]}, {"anomalies": [anomalies]}, properties)
        return anomalies

    return run


def test_all_is_well(validate: Callable, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tandem.example_validator"):
        anomalies = validate({"train": _GOOD, "eval": _GOOD})
    assert "the data fit the schema in every split validated (train, eval)" in caplog.text
    assert anomalies.get_json_value_custom_property("blessed") == {"train": 1, "eval": 1}
    assert pathlib.Path(anomalies.uri, "Split-eval", "SchemaDiff.pb").exists()


def test_every_anomaly_of_every_split_is_in_the_error(validate: Callable) -> None:
    train = _GOOD.assign(age=[1.0] * 39 + [300.0])
    evaluation = pd.DataFrame({"city": ["a"] * 39 + ["x"], "new": [1] * 40})
    with pytest.raises(DataAnomaliesError) as error:
        validate({"train": train, "eval": evaluation}, schema_file="schemas/sample.pbtxt")
    lines = str(error.value).split("\n  ")
    assert lines[0] == "the data do not fit the schema, 4 anomalies:"
    assert lines[1].startswith(
        "train: feature 'age' has values above the schema's maximum: Unexpectedly high value: 300"
    )
    assert lines[2:] == [
        "eval: feature 'age' is in the schema but nowhere in the data",
        "eval: feature 'city' has values that the schema does not list: x (~2%)",
        "eval: feature 'new' is in the data but not in the schema",
        "If the data are right, edit the schema schemas/sample.pbtxt; "
        "if they are wrong, mend the logs or how they are read.",
    ]


def test_run_copy_of_the_schema_is_named_where_no_file_is_given(validate: Callable, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataAnomaliesError, match=f"edit the schema of this run \\({tmp_path}/run0/schema\\)"):
        validate({"train": _GOOD.assign(new=1)})


def test_excluded_split_is_not_validated(validate: Callable) -> None:
    anomalies = validate({"train": _GOOD, "eval": _GOOD.assign(new=1)}, exclude_splits='["eval"]')
    assert artifact_utils.decode_split_names(anomalies.split_names) == ["train"]


def test_split_without_rows_fails(validate: Callable) -> None:
    with pytest.raises(DataAnomaliesError, match="1 anomaly:\n  eval: there are no rows"):
        validate({"train": _GOOD, "eval": _GOOD.iloc[:0]})


_COMPARED = """
feature { name: "city" type: BYTES
  skew_comparator { infinity_norm { threshold: 0.2 } } drift_comparator { infinity_norm { threshold: 0.1 } } }
"""


def _cities(a: int, b: int) -> pd.DataFrame:
    return pd.DataFrame({"city": ["a"] * a + ["b"] * b})


def test_evaluation_days_that_moved_stop_the_run(validate: Callable, tmp_path: pathlib.Path) -> None:
    moved = {"train": _cities(50, 50), "eval": _cities(75, 25)}
    store = tmp_path.parent / f"{tmp_path.name}-store"
    with pytest.raises(DataAnomaliesError) as error:
        validate(
            moved, schema_text=_COMPARED, skew="stop", drift="stop", schema_file="s.pbtxt", statistics_dir=str(store)
        )
    assert str(error.value).split("\n  ") == [
        "the data have moved, 1 feature above the threshold of the schema:",
        "skew: feature 'city' of the evaluation days is away from the training days by 0.2500 (L-infinity), above its "
        "threshold 0.2: a 50.0% -> 75.0%; b 50.0% -> 25.0%",
        "If that is as it should be, run once with --set statistics.skew=report, or edit the threshold in the schema "
        "s.pbtxt; if it is not, mend the logs or how they are read.",
    ]
    assert not store.exists()  # what stopped the run is nothing to compare with


def test_where_it_is_only_reported_the_run_goes_on(validate: Callable, caplog: pytest.LogCaptureFixture) -> None:
    moved = {"train": _cities(50, 50), "eval": _cities(75, 25)}
    with caplog.at_level(logging.INFO, "tandem.example_validator"):
        anomalies = validate(moved, schema_text=_COMPARED, skew="report", drift="stop")
    assert [record.message[:21] for record in caplog.records if record.levelno == logging.WARNING] == [
        "skew: feature 'city' "
    ]
    assert "drift: nothing was compared: there are no earlier statistics to compare with" in caplog.text
    assert json.loads(pathlib.Path(anomalies.uri, "drift.json").read_text()) == [
        {
            "feature": "city",
            "kind": "skew",
            "distance": 0.25,
            "measure": "infinity_norm",
            "threshold": 0.2,
            "exceeded": True,
            "note": "a 50.0% -> 75.0%; b 50.0% -> 25.0%",
        },
        {
            "feature": "city",
            "kind": "drift",
            "distance": None,
            "measure": "infinity_norm",
            "threshold": 0.1,
            "exceeded": False,
            "note": "there are no earlier statistics to compare with",
        },
    ]


def test_training_days_are_held_to_those_accepted_last(validate: Callable, tmp_path: pathlib.Path) -> None:
    store = str(tmp_path.parent / f"{tmp_path.name}-store")

    def run(rows: pd.DataFrame, drift: str = "stop") -> float | None:
        anomalies = validate(
            {"train": rows, "eval": rows}, schema_text=_COMPARED, skew="stop", drift=drift, statistics_dir=store
        )
        return json.loads(pathlib.Path(anomalies.uri, "drift.json").read_text())[1]["distance"]

    assert run(_cities(50, 50)) is None
    assert run(_cities(55, 45)) == pytest.approx(0.05)
    assert run(_cities(55, 45)) == pytest.approx(0.05)  # again: with what it was compared with the first time
    with pytest.raises(
        DataAnomaliesError, match="drift: feature 'city' of the training days is away from those accepted"
    ):
        run(_cities(80, 20))
    with pytest.raises(DataAnomaliesError):  # refused data are no measure for themselves
        run(_cities(80, 20))
    assert run(_cities(80, 20), "report") == pytest.approx(0.25)
    assert run(_cities(80, 20)) == pytest.approx(0.25)  # accepted once, they do not stop a run any more
    assert run(_cities(82, 18)) == pytest.approx(0.02)


def test_component() -> None:
    component = ExampleValidator(
        statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        exclude_splits=["validation"],
        schema_file="schemas/sample.pbtxt",
        drift="report",
        statistics_dir="/runs/statistics",
    )
    assert component.id == "ExampleValidator"
    assert component.exec_properties == {
        "exclude_splits": '["validation"]',
        "schema_file": "schemas/sample.pbtxt",
        "skew": "stop",
        "drift": "report",
        "statistics_dir": "/runs/statistics",
    }
    assert component.executor_spec.executor_class is Executor
    assert component.outputs["anomalies"].type_name == "ExampleAnomalies"


def _pipeline(root: pathlib.Path, schema_file: str | None) -> pipeline.Pipeline:
    statistics = Importer(
        str(root / "statistics"), standard_artifacts.ExampleStatistics, properties={"split_names": '["train"]'}
    ).with_id("statistics")
    schema = Importer(str(root / "schema"), standard_artifacts.Schema).with_id("schema")
    validator = ExampleValidator(statistics.outputs["result"], schema.outputs["result"], schema_file=schema_file)
    return pipeline.Pipeline(
        pipeline_name="small",
        pipeline_root=str(root / "runs"),
        components=[statistics, schema, validator],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite")),
    )


@pytest.mark.parametrize("schema_file", [None, "schemas/sample.pbtxt"])
def test_compiles_for_kubeflow(tmp_path: pathlib.Path, schema_file: str | None) -> None:
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="tandem", use_pipeline_spec_2_1=True)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config, output_dir=str(tmp_path), output_filename="pipeline.json"
    )
    runner.run(_pipeline(tmp_path, schema_file), write_out=True)
    spec = json.loads((tmp_path / "pipeline.json").read_text())
    spec = spec.get("pipelineSpec", spec)
    parameters = spec["root"]["dag"]["tasks"]["ExampleValidator"]["inputs"]["parameters"]
    given = {"schema_file": schema_file} if schema_file else {}
    assert {key: value["runtimeValue"]["constant"] for key, value in parameters.items()} == {
        "exclude_splits": "[]",
        "skew": "stop",
        "drift": "stop",
        **given,
    }


def test_stops_a_local_run(tmp_path: pathlib.Path) -> None:
    statistics = tfdv.generate_statistics_from_dataframe(_GOOD.assign(new=1))
    (tmp_path / "statistics" / "Split-train").mkdir(parents=True)
    (tmp_path / "statistics" / "Split-train" / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.pbtxt").write_text(_SCHEMA)
    with pytest.raises(DataAnomaliesError, match="train: feature 'new' is in the data but not in the schema"):
        local_dag_runner.LocalDagRunner().run(_pipeline(tmp_path, None))
