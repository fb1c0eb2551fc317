"""The last blessed model, on every runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from tandem.components.blessed_model.driver import Driver
from tandem.components.blessed_model.executor import BLESSED_MODEL_KEY, Executor
from tandem.components.pusher.push_folder import PARAMETERS
from tandem.components.pusher.versions import model_folder

if TYPE_CHECKING:
    from collections.abc import Mapping


class BlessedModelSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of the component."""

    PARAMETERS: Mapping[str, ExecutionParameter] = PARAMETERS
    INPUTS: Mapping[str, ChannelParameter] = {keys.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS: Mapping[str, ChannelParameter] = {BLESSED_MODEL_KEY: ChannelParameter(type=standard_artifacts.Model)}


class BlessedModel(base_component.BaseComponent):
    """Hands the evaluator the model that the candidate has to beat.

    That is the newest version in the push folder which is not the candidate itself: pushed, blessed and served are the
    same, and deleting a version rolls back what the next candidate is compared with, too.

    Its output `blessed_model` is one Model artifact, always. Custom properties: `has_model` is 1 when the artifact
    holds a copy of that version (`version`, `fingerprint`) and 0 when there is nothing to compare with; then `reason`
    says why: nothing is pushed yet, or the pushed model has other outputs than the candidate.

    It is cached for as long as the candidate and the last blessed model are the same ones.
    """

    SPEC_CLASS = BlessedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, model: types.BaseChannel[types.Artifact], push_dir: str, model_name: str):
        """Makes the component.

        Args:
          model: Of type Model: the candidate.
          push_dir: The folder that the model server reads, on a mounted file system.
          model_name: The model's folder inside.

        Raises:
          ValueError: `push_dir` is a URI of an object store, or `model_name` is no plain name.
        """
        model_folder(push_dir, model_name)
        super().__init__(
            BlessedModelSpec(
                model=model,
                push_dir=push_dir,
                model_name=model_name,
                blessed_model=types.Channel(type=standard_artifacts.Model),
            )
        )
