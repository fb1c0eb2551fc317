"""Pushes a blessed model; TFX glue around `publish`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tfx.components.evaluator import constants as evaluator_constants
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys

from tandem.components.pusher.local_model import local_model
from tandem.components.pusher.publish import publish
from tandem.components.pusher.push_folder import push_folder
from tandem.components.pusher.versions import newest_version

if TYPE_CHECKING:
    from tfx import types

_LOG = logging.getLogger("tandem.pusher")

# The names are the stock pusher's.
PUSHED_PROPERTY = "pushed"
VERSION_PROPERTY = "pushed_version"
DESTINATION_PROPERTY = "pushed_destination"
FINGERPRINT_PROPERTY = "fingerprint"


class ForeignBlessingError(ValueError):
    """The blessing is about another model than the one to be pushed."""


class Executor(base_executor.BaseExecutor):
    """Pushes the model if it is blessed, and says what it did."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See `tandem.components.pusher.component.AtomicPusher`.

        Raises:
          ForeignBlessingError: The blessing names another model.
          ValueError: The push folder is not on a file system.
          CopyMismatchError, OSError: See `publish`.
        """
        model = artifact_utils.get_single_instance(input_dict[keys.MODEL_KEY])
        blessing = artifact_utils.get_single_instance(input_dict[keys.MODEL_BLESSING_KEY])
        pushed_model = artifact_utils.get_single_instance(output_dict[keys.PUSHED_MODEL_KEY])
        folder = push_folder(exec_properties)
        _require_blessing_of(model, blessing)
        if not model_utils.is_model_blessed(blessing):
            pushed_model.set_int_custom_property(PUSHED_PROPERTY, 0)
            _LOG.info("%s: not pushed; %s", _verdict(blessing), _what_stays(folder))
            return
        with local_model(model) as saved_model:
            publication = publish(saved_model, folder, {"source": model.uri, "blessing": blessing.uri})
        pushed_model.set_int_custom_property(PUSHED_PROPERTY, 1)
        pushed_model.set_string_custom_property(VERSION_PROPERTY, str(publication.version))
        pushed_model.set_string_custom_property(DESTINATION_PROPERTY, publication.path)
        pushed_model.set_string_custom_property(FINGERPRINT_PROPERTY, publication.fingerprint)
        if publication.copied:
            _LOG.info("pushed: version %d in %s", publication.version, publication.path)
        else:
            _LOG.info("nothing to push: version %d in %s is this model", publication.version, publication.path)


def _require_blessing_of(model: types.Artifact, blessing: types.Artifact) -> None:
    blessed = blessing.get_string_custom_property(evaluator_constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY)
    if blessed and blessed.rstrip("/") != model.uri.rstrip("/"):
        raise ForeignBlessingError(
            f"the blessing {blessing.uri} is about the model {blessed}, not about {model.uri}: nothing was pushed. "
            "Give the pusher the model that the evaluator judged"
        )


def _verdict(blessing: types.Artifact) -> str:
    if blessing.has_custom_property(evaluator_constants.ARTIFACT_PROPERTY_BLESSED_KEY):
        return "not blessed"
    return "neither blessed nor refused (an evaluation without thresholds gives no verdict)"


def _what_stays(folder: str) -> str:
    newest = newest_version(folder)
    return f"no version is pushed in {folder}" if newest is None else f"version {newest.number} stays in {folder}"
