"""Hands out the last blessed model; TFX glue around `baseline`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import io_utils, path_utils

from tandem.components.blessed_model.baseline import Baseline, last_blessed, output_names, why_incomparable
from tandem.components.pusher.local_model import local_model
from tandem.components.pusher.push_folder import push_folder
from tandem.components.pusher.versions import fingerprint, pushed_versions

if TYPE_CHECKING:
    from tfx import types

_LOG = logging.getLogger("tandem.blessed_model")

BLESSED_MODEL_KEY = "blessed_model"

# Set by the driver, empty where there is no baseline; absent on a runner that has no drivers.
BASELINE_VERSION_KEY = "baseline_version"
BASELINE_FINGERPRINT_KEY = "baseline_fingerprint"

HAS_MODEL_PROPERTY = "has_model"
VERSION_PROPERTY = "version"
FINGERPRINT_PROPERTY = "fingerprint"
REASON_PROPERTY = "reason"


class BaselineChangedError(RuntimeError):
    """The push folder changed between the look-up and the copy."""


class Executor(base_executor.BaseExecutor):
    """Copies the last blessed model into the output artifact, or says why there is none to compare with."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See `tandem.components.blessed_model.component.BlessedModel`.

        Raises:
          ManifestError: The candidate does not say what it answers.
          BaselineChangedError: The version was deleted or replaced while this ran.
          ValueError: The push folder is not on a file system.
        """
        candidate = artifact_utils.get_single_instance(input_dict[keys.MODEL_KEY])
        output = artifact_utils.get_single_instance(output_dict[BLESSED_MODEL_KEY])
        folder = push_folder(exec_properties)
        # A runner with an object store makes no folder; an artifact without one counts as lost.
        fileio.makedirs(output.uri)
        with local_model(candidate) as saved_model:
            output_names(saved_model)
            baseline = _baseline(exec_properties, folder, saved_model)
            if baseline is None:
                reason: str | None = f"no other model is pushed in {folder}"
            else:
                reason = _copy_if_comparable(saved_model, baseline, output)
        output.set_int_custom_property(HAS_MODEL_PROPERTY, int(reason is None))
        if baseline is not None:
            output.set_int_custom_property(VERSION_PROPERTY, baseline.version)
            output.set_string_custom_property(FINGERPRINT_PROPERTY, baseline.fingerprint)
        if reason is not None:
            reason = f"{reason}: compared with absolute thresholds only"
            output.set_string_custom_property(REASON_PROPERTY, reason)
            _LOG.info("%s", reason)


def _baseline(exec_properties: dict[str, Any], folder: str, candidate: str) -> Baseline | None:
    """Returns what the driver chose; chooses where none ran."""
    if BASELINE_VERSION_KEY not in exec_properties:
        return last_blessed(folder, fingerprint(candidate))
    chosen = exec_properties[BASELINE_VERSION_KEY]
    if not chosen:
        return None
    for version in pushed_versions(folder):
        if version.number == int(chosen):
            return Baseline(version.number, version.path, exec_properties[BASELINE_FINGERPRINT_KEY])
    raise BaselineChangedError(f"version {chosen} was deleted from {folder} while it was being read; run again")


def _copy_if_comparable(candidate: str, baseline: Baseline, output: types.Artifact) -> str | None:
    """Fills the output artifact, or empties it and returns why the two models cannot be compared.

    A copy, so that what was compared stays when the version is deleted later; and it is the copy that is judged, since
    it is known to be whole.
    """
    target = path_utils.serving_model_dir(output.uri)
    io_utils.copy_dir(baseline.path, target)
    with local_model(output) as copy:
        copied = fingerprint(copy)
        if copied != baseline.fingerprint:
            raise BaselineChangedError(
                f"{baseline.path} changed while it was copied (fingerprint {copied}, not "
                f"{baseline.fingerprint}); run again"
            )
        reason = why_incomparable(candidate, copy)
    if reason is None:
        _LOG.info(
            "the candidate is compared with the last blessed model, version %d (%s)", baseline.version, baseline.path
        )
    else:
        fileio.rmtree(target)
    return reason
