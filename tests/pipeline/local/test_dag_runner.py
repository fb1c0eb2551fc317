import io
import sqlite3
from pathlib import Path

import pytest
from rich.console import Console
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tandem.components.curated_schema.component import CuratedSchema
from tandem.pipeline.failures import ComponentFailed, Interrupted
from tandem.pipeline.local.dag_runner import DagRunner, component_names
from tandem.pipeline.local.progress import PlainProgress

STATES = (
    "select Type.name, Execution.last_known_state from Execution join Type on Type.id = type_id order by Execution.id"
)
COMPLETE, FAILED = 3, 4  # ML Metadata's


class MoodyExecutor(base_executor.BaseExecutor):
    """Does what the mood says; writes something first, so that a half-written output is there."""

    mood = "good"

    def Do(self, input_dict, output_dict, exec_properties):
        Path(output_dict["model"][0].uri, "weights").write_text("1")
        if MoodyExecutor.mood == "bad":
            raise ValueError("the weights are too heavy")
        if MoodyExecutor.mood == "interrupted":
            raise KeyboardInterrupt
        if MoodyExecutor.mood == "interrupted inside Beam":
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as error:
                raise RuntimeError("KeyboardInterrupt [while running a step]") from error


class MoodySpec(ComponentSpec):
    PARAMETERS = {"setting": ExecutionParameter(type=str)}  # noqa: RUF012
    INPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}  # noqa: RUF012
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012


class Moody(base_component.BaseComponent):
    SPEC_CLASS = MoodySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(MoodyExecutor)

    def __init__(self, schema, setting):
        super().__init__(MoodySpec(schema=schema, setting=setting, model=types.Channel(type=standard_artifacts.Model)))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs two components; returns the runner and the lines shown."""

    def run(mood="good", setting="1", schema='feature { name: "a" type: BYTES }'):
        monkeypatch.setattr(MoodyExecutor, "mood", mood)
        source = CuratedSchema(schema)
        pipeline = Pipeline(
            pipeline_name="test",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[source, Moody(source.outputs["schema"], setting)],
            enable_cache=True,
            metadata_connection_config=sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")),
        )
        run.console = Console(file=io.StringIO(), width=100)
        with PlainProgress(run.console, component_names(pipeline)) as progress:
            runner = DagRunner(progress)
            runner.run(pipeline)
        return runner, {name: state.status for name, state in progress.components.items()}

    return run


def states(tmp_path):
    with sqlite3.connect(tmp_path / "metadata.sqlite") as connection:
        return [state for name, state in connection.execute(STATES) if name.endswith("Moody")]


def test_a_second_run_reuses_everything_and_finds_the_same_outputs(run):
    first, status = run()
    assert status == {"CuratedSchema": "done", "Moody": "done"}
    second, status = run()
    assert status == {"CuratedSchema": "cached", "Moody": "cached"}
    assert first.outputs["Moody"]["model"][0].uri == second.outputs["Moody"]["model"][0].uri


def test_only_what_depends_on_a_change_runs_again(run):
    run()
    _, status = run(setting="2")
    assert status == {"CuratedSchema": "cached", "Moody": "done"}


def test_an_edited_schema_is_noticed(run):
    run()
    runner, status = run(schema='feature { name: "b" type: BYTES }')
    assert status == {"CuratedSchema": "done", "Moody": "done"}
    assert '"b"' in Path(runner.outputs["CuratedSchema"]["schema"][0].uri, "schema.pbtxt").read_text()


@pytest.mark.parametrize(
    ("mood", "kind", "shown"),
    [
        ("bad", ComponentFailed, "FAILED after"),
        ("interrupted", Interrupted, "interrupted after"),
        ("interrupted inside Beam", Interrupted, "interrupted after"),
    ],
)
def test_a_component_that_did_not_finish_is_marked_as_failed_and_runs_again(run, tmp_path, mood, kind, shown):
    with pytest.raises(kind) as error:
        run(mood=mood)
    assert error.value.component == "Moody"
    assert states(tmp_path) == [FAILED]
    assert not list((tmp_path / "artifacts" / "Moody" / "model").glob("*/weights"))
    assert shown in run.console.file.getvalue()
    _, status = run()
    assert status == {"CuratedSchema": "cached", "Moody": "done"}
    assert states(tmp_path) == [FAILED, COMPLETE]


def test_a_failure_carries_the_components_own_error(run):
    with pytest.raises(ComponentFailed, match="Moody: the weights are too heavy") as error:
        run(mood="bad")
    assert isinstance(error.value.error, ValueError)


def test_a_component_whose_input_is_gone_fails(run, monkeypatch):
    from tfx.orchestration.portable import inputs_utils
    from tfx.orchestration.portable.input_resolution import exceptions

    run()
    resolve = inputs_utils.resolve_input_artifacts

    def lost(*, pipeline_node, metadata_handle):
        if pipeline_node.node_info.id == "Moody":
            raise exceptions.FailedPreconditionError("the schema is gone")
        return resolve(pipeline_node=pipeline_node, metadata_handle=metadata_handle)

    monkeypatch.setattr(inputs_utils, "resolve_input_artifacts", lost)
    with pytest.raises(ComponentFailed, match="the schema is gone"):
        run()


def test_partial_runs_are_refused(run):
    with pytest.raises(ValueError, match="partial runs are not supported"):
        DagRunner(PlainProgress(Console(file=io.StringIO()), [])).run_with_ir(None, run_options=object())
