"""The pusher: a blessed model becomes visible to the server whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.system_executions import Deploy

from tandem.components.pusher.driver import Driver
from tandem.components.pusher.executor import Executor
from tandem.components.pusher.push_folder import PARAMETERS
from tandem.components.pusher.versions import model_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


class AtomicPusherSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of the pusher."""

    PARAMETERS: Mapping[str, ExecutionParameter] = PARAMETERS
    INPUTS: Mapping[str, ChannelParameter] = {
        keys.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        keys.MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {
        keys.PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel)
    }
    TYPE_ANNOTATION = Deploy


class AtomicPusher(base_component.BaseComponent):
    """Publishes a blessed model as the next version in TF Serving's layout, `<push_dir>/<model_name>/<version>/`.

    It is never cached, so that what it reports is true now; it copies nothing when the newest version is this very
    model.

    Its output `pushed_model` has the custom properties `pushed` (1 or 0) and, when pushed, `pushed_version` (a string),
    `pushed_destination` (the version's folder) and `fingerprint`. The model is not copied into it.
    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel[types.Artifact],
        model_blessing: types.BaseChannel[types.Artifact],
        push_dir: str,
        model_name: str,
    ):
        """Makes the component.

        Args:
          model: Of type Model: the candidate.
          model_blessing: Of type ModelBlessing: the evaluator's verdict on this candidate.
          push_dir: The folder that the model server reads, on a mounted file system.
          model_name: The model's folder inside.

        Raises:
          ValueError: `push_dir` is a URI of an object store, or `model_name` is no plain name.
        """
        model_folder(push_dir, model_name)
        super().__init__(
            AtomicPusherSpec(
                model=model,
                model_blessing=model_blessing,
                push_dir=push_dir,
                model_name=model_name,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
