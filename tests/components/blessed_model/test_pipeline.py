# No `from __future__ import annotations`: TFX's decorator reads the annotations as they stand.
import json
import pathlib
import shutil
from collections.abc import Callable

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.local import local_dag_runner
from tfx.types.standard_artifacts import Model, ModelBlessing

from tandem.components.blessed_model.component import BlessedModel
from tandem.components.pusher.component import AtomicPusher
from tandem.components.pusher.versions import pushed_versions


@component
def Trainer(model: OutputArtifact[Model], content: Parameter[str], outputs: Parameter[str]) -> None:
    folder = pathlib.Path(model.uri, "Format-Serving")
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "assets.extra" / "tandem.json").write_text(json.dumps({"outputs": outputs.split()}))


@component
def Evaluator(
    model: InputArtifact[Model],
    baseline: InputArtifact[Model],
    blessing: OutputArtifact[ModelBlessing],
    threshold: Parameter[str],
) -> None:
    """Blesses models whose content is at least the threshold, in alphabetical order."""
    content = pathlib.Path(model.uri, "Format-Serving", "saved_model.pb").read_text()
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("blessed", int(content >= threshold))


def _pipeline(root: pathlib.Path, content: str, outputs: str, threshold: str) -> pipeline.Pipeline:
    push = {"push_dir": str(root / "serving"), "model_name": "ranker"}
    trainer = Trainer(content=content, outputs=outputs)
    blessed = BlessedModel(model=trainer.outputs["model"], **push)
    evaluator = Evaluator(
        model=trainer.outputs["model"], baseline=blessed.outputs["blessed_model"], threshold=threshold
    )
    pusher = AtomicPusher(model=trainer.outputs["model"], model_blessing=evaluator.outputs["blessing"], **push)
    return pipeline.Pipeline(
        pipeline_name="small",
        pipeline_root=str(root / "runs"),
        components=[trainer, blessed, evaluator, pusher],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite")),
    )


class _Run:
    """What the metadata store knows of the newest run: by component, its state and its output artifact's properties."""

    def __init__(self, root: pathlib.Path):
        config = metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
        self.states: dict[str, str] = {}
        self.outputs: dict[str, dict[str, int | str]] = {}
        with metadata.Metadata(config) as handle:
            store = handle.store
            names = {kind.id: kind.name.split(".")[-1] for kind in store.get_execution_types()}
            for execution in sorted(store.get_executions(), key=lambda each: each.id):
                name = names[execution.type_id]
                self.states[name] = execution.State.Name(execution.last_known_state)
                events = store.get_events_by_execution_ids([execution.id])
                made = [event.artifact_id for event in events if event.type == event.OUTPUT]
                (artifact,) = store.get_artifacts_by_id(made)
                properties = artifact.custom_properties
                self.outputs[name] = {k: getattr(v, v.WhichOneof("value")) for k, v in properties.items()}


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Callable[..., _Run]:
    def once(content: str, outputs: str = "click", threshold: str = "") -> _Run:
        local_dag_runner.LocalDagRunner().run(_pipeline(tmp_path, content, outputs, threshold))
        return _Run(tmp_path)

    return once


def _versions(tmp_path: pathlib.Path) -> list[int]:
    return [version.number for version in pushed_versions(str(tmp_path / "serving" / "ranker"))]


_CACHED = {"Trainer": "CACHED", "BlessedModel": "CACHED", "Evaluator": "CACHED", "AtomicPusher": "COMPLETE"}
_NEW = dict.fromkeys(_CACHED, "COMPLETE")


def test_what_is_compared_run_after_run(run: Callable[..., _Run], tmp_path: pathlib.Path) -> None:
    first = run("a")
    assert first.states == _NEW
    assert first.outputs["BlessedModel"]["has_model"] == 0
    (version_a,) = _versions(tmp_path)

    # The candidate is pushed by now, but it is still not compared with itself.
    again = run("a")
    assert again.states == _CACHED
    assert again.outputs["BlessedModel"]["has_model"] == 0
    assert _versions(tmp_path) == [version_a]

    better = run("b")
    assert better.states == _NEW
    assert better.outputs["BlessedModel"]["has_model"] == 1
    assert better.outputs["BlessedModel"]["version"] == version_a
    version_b, *older = _versions(tmp_path)
    assert older == [version_a]

    again = run("b")
    assert again.states == _CACHED
    assert again.outputs["BlessedModel"]["version"] == version_a
    assert _versions(tmp_path) == [version_b, version_a]

    # The old configuration again: now it has to beat the newer model.
    back = run("a")
    assert back.states == {**_NEW, "Trainer": "CACHED"}
    assert back.outputs["BlessedModel"]["version"] == version_b


def test_rollback_is_respected(run: Callable[..., _Run], tmp_path: pathlib.Path) -> None:
    run("a")
    run("b")
    version_b, version_a = _versions(tmp_path)
    shutil.rmtree(tmp_path / "serving" / "ranker" / str(version_b))
    assert run("c").outputs["BlessedModel"]["version"] == version_a


def test_other_outputs_are_not_compared(run: Callable[..., _Run]) -> None:
    run("a", outputs="click")
    result = run("b", outputs="click buy").outputs["BlessedModel"]
    assert result["has_model"] == 0
    assert "answers [click], the candidate [buy, click]" in str(result["reason"])


def test_pusher_never_reports_a_push_that_is_gone(run: Callable[..., _Run], tmp_path: pathlib.Path) -> None:
    first = run("a").outputs["AtomicPusher"]
    shutil.rmtree(tmp_path / "serving")
    second = run("a")
    assert second.states == _CACHED
    (version,) = _versions(tmp_path)
    assert second.outputs["AtomicPusher"]["pushed_version"] == str(version)
    assert first["fingerprint"] == second.outputs["AtomicPusher"]["fingerprint"]
    third = run("a").outputs["AtomicPusher"]
    assert third["pushed_version"] == str(version)
    assert _versions(tmp_path) == [version]


def test_refused_model_is_not_pushed(run: Callable[..., _Run], tmp_path: pathlib.Path) -> None:
    run("b", threshold="b")
    versions = _versions(tmp_path)
    worse = run("a", threshold="b")
    assert worse.outputs["AtomicPusher"]["pushed"] == 0
    assert worse.outputs["BlessedModel"]["version"] == versions[0]
    assert _versions(tmp_path) == versions


def test_compiles_for_kubeflow(tmp_path: pathlib.Path) -> None:
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="tandem", use_pipeline_spec_2_1=True)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config, output_dir=str(tmp_path), output_filename="pipeline.json"
    )
    runner.run(_pipeline(tmp_path, "a", "click", ""), write_out=True)
    spec = json.loads((tmp_path / "pipeline.json").read_text())
    spec = spec.get("pipelineSpec", spec)
    executors = spec["deploymentSpec"]["executors"]
    for name, executor in (
        ("BlessedModel", "tandem.components.blessed_model.executor.Executor"),
        ("AtomicPusher", "tandem.components.pusher.executor.Executor"),
    ):
        assert executor in executors[f"{name}_executor"]["container"]["args"]
        parameters = spec["root"]["dag"]["tasks"][name]["inputs"]["parameters"]
        assert {key: value["runtimeValue"]["constant"] for key, value in parameters.items()} == {
            "push_dir": str(tmp_path / "serving"),
            "model_name": "ranker",
        }
