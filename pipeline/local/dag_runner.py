"""TFX's local runner, which says what it does and tells a reused component from one that ran."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import data_types, launcher, runtime_parameter_utils
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.orchestration.portable.python_executor_operator import PythonExecutorOperator
from tfx.proto.orchestration import executable_spec_pb2
from tfx.types import Artifact

from tandem.pipeline.failures import ComponentFailed, Interrupted

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from tandem.pipeline.local.progress import End, Progress

_LOG = logging.getLogger("tandem.pipeline")

Artifacts = Mapping[str, list[Artifact]]


def component_names(pipeline: Pipeline) -> list[str]:
    """Returns the components in the order in which they run."""
    return [component.id for component in pipeline.components]


class DagRunner(LocalDagRunner):
    """Runs the components one after the other and keeps what each of them answered.

    Attributes:
      outputs: By component, its output artifacts by key; those of an earlier run where they were reused.
    """

    def __init__(self, progress: Progress, places: Mapping[str, Mapping[str, Any]] | None = None):
        """Takes what the components have nothing to say in.

        Args:
          progress: Is told of every component.
          places: By component, execution properties that its executor is given although they are not part of what a
            finished result is known by: they say where something lies, not what it is.
        """
        super().__init__()
        self._progress = progress
        self._places = places or {}
        self._executed: set[str] = set()
        self.outputs: dict[str, Artifacts] = {}

    def run_with_ir(self, pipeline: Any, run_options: Any = None) -> None:
        """Runs a compiled pipeline, a `pipeline_pb2.Pipeline`.

        It replaces TFX's own loop, which neither reports nor notices that a component had no input.

        Raises:
          ComponentFailed: With the component and the error.
          Interrupted: By the user (Ctrl-C).
          ValueError: `run_options` are given: partial runs are not supported (the cache does their work).
        """
        if run_options is not None:
            raise ValueError("partial runs are not supported: finished components are reused anyway")
        run_id = datetime.datetime.now(tz=datetime.timezone.utc).isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connections = deployment.metadata_connection_config
        connection = getattr(connections, connections.WhichOneof("connection_config"))
        for node in pipeline.nodes:
            name = node.pipeline_node.node_info.id
            self._progress.start(name)
            status: End = "failed"
            executor = runner_utils.extract_executor_spec(deployment, name)
            aside = _Aside(self._executed, self._places.get(name, {}), _taken_beam_args(executor))
            try:
                info = launcher.Launcher(
                    pipeline_node=node.pipeline_node,
                    mlmd_connection=metadata.Metadata(connection),
                    pipeline_info=pipeline.pipeline_info,
                    pipeline_runtime_spec=pipeline.runtime_spec,
                    executor_spec=executor,
                    custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
                    custom_executor_operators=_operators(aside),
                ).launch()
                self._keep_outputs(name, info, metadata.Metadata(connection))
                status = "done" if name in self._executed else "cached"
            except (Interrupted, KeyboardInterrupt):
                status = "interrupted"
                raise Interrupted(name) from None
            except Exception as error:
                _LOG.debug("component %s failed", name, exc_info=True)
                raise ComponentFailed(name, error) from error
            finally:
                self._progress.finish(name, status)

    def _keep_outputs(self, name: str, info: data_types.ExecutionInfo | None, store: metadata.Metadata) -> None:
        """Asks the metadata store for the outputs, and for whether the component ended well.

        TFX's launcher returns without an error when a component's input cannot be found.
        """
        if info is None or info.execution_id is None:
            raise RuntimeError("it was not run: its inputs are missing")
        with store as handle:
            (execution,) = handle.store.get_executions_by_id([info.execution_id])
            if not execution_lib.is_execution_successful(execution):
                reason = execution_lib.get_execution_result(execution, ignore_parse_errors=True)
                raise RuntimeError(
                    (reason.result_message if reason else "") or "it was not run: its inputs cannot be found"
                )
            self.outputs[name] = execution_lib.get_output_artifacts(handle, info.execution_id)


@dataclasses.dataclass(frozen=True)
class _Aside:
    """What an operator is given past the launcher, which would make it part of the cache's key.

    Attributes:
      executed: Takes the names of the components that run.
      properties: Further execution properties.
      beam_args: Beam's flags: where and how fast a component runs, not what it gives.
    """

    executed: set[str]
    properties: Mapping[str, Any]
    beam_args: list[Any]


def _operators(aside: _Aside) -> dict[Any, Any]:
    """What the launcher makes instead of TFX's own operators."""
    specs: Any = executable_spec_pb2
    return {
        specs.PythonClassExecutableSpec: functools.partial(_PythonOperator, aside),
        specs.BeamExecutableSpec: functools.partial(_BeamOperator, aside),
    }


def _taken_beam_args(executor: Any) -> list[Any]:
    """Takes Beam's flags out of an executor's specification, if it has any."""
    if not isinstance(executor, executable_spec_pb2.BeamExecutableSpec):  # type: ignore[attr-defined]
        return []
    taken = list(executor.beam_pipeline_args_placeholders)
    executor.ClearField("beam_pipeline_args_placeholders")
    executor.ClearField("beam_pipeline_args")  # the same once more, as text
    return taken


def _is_interrupt(error: BaseException | None) -> bool:
    """Says whether an error is Ctrl-C, or was made of it: Beam makes a RuntimeError of what is raised in a step."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


class _Operator:
    """Notes that a component runs (is not cached), and turns Ctrl-C into an error.

    For errors TFX marks the execution as failed and removes what it has written so far; for a KeyboardInterrupt it does
    not.
    """

    def __init__(self, aside: _Aside, *args: object, **kwargs: object):
        super().__init__(*args, **kwargs)
        self._aside = aside

    def run_executor(self, execution_info: Any, *args: Any) -> Any:
        name = execution_info.pipeline_node.node_info.id
        self._aside.executed.add(name)
        execution_info.exec_properties.update(self._aside.properties)
        try:
            return super().run_executor(execution_info, *args)  # type: ignore[misc]
        except BaseException as error:
            if _is_interrupt(error):
                raise Interrupted(name) from None
            raise


class _PythonOperator(_Operator, PythonExecutorOperator):
    """Runs a component in this process."""


class _BeamOperator(_Operator, BeamExecutorOperator):
    """Runs a component on Beam."""

    def __init__(self, aside: _Aside, *args: object, **kwargs: object):
        super().__init__(aside, *args, **kwargs)
        self.beam_pipeline_args = aside.beam_args
