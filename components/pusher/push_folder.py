"""The push folder as execution properties: what the pusher, which writes it, and those that read it are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfx.types.component_spec import ExecutionParameter

from tandem.components.pusher.versions import model_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

PUSH_DIR_KEY = "push_dir"
MODEL_NAME_KEY = "model_name"

PARAMETERS: Mapping[str, ExecutionParameter] = {
    PUSH_DIR_KEY: ExecutionParameter(type=str),
    MODEL_NAME_KEY: ExecutionParameter(type=str),
}


def push_folder(exec_properties: Mapping[str, Any]) -> str:
    """Returns the folder that holds the versions of the model.

    Raises:
      ValueError: See `tandem.components.pusher.versions.model_folder`.
    """
    return model_folder(exec_properties[PUSH_DIR_KEY], exec_properties[MODEL_NAME_KEY])
