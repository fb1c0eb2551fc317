"""Makes the last blessed model part of the cache key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys

from tandem.components.blessed_model.baseline import last_blessed
from tandem.components.blessed_model.executor import (
    BASELINE_FINGERPRINT_KEY,
    BASELINE_VERSION_KEY,
)
from tandem.components.pusher.local_model import local_model
from tandem.components.pusher.properties_driver import PropertiesDriver
from tandem.components.pusher.push_folder import push_folder
from tandem.components.pusher.versions import fingerprint

if TYPE_CHECKING:
    from tfx.orchestration.portable import data_types


class Driver(PropertiesDriver):
    """Looks the last blessed model up before the cache is asked.

    The component's inputs do not change when a model is pushed or rolled back; with these execution properties its
    cache key does, and it changes for no other reason.
    """

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, str]:
        """Returns the baseline's version and fingerprint, both empty where there is no baseline."""
        folder = push_folder(execution_info.exec_properties)
        model = artifact_utils.get_single_instance(list(execution_info.input_dict[keys.MODEL_KEY]))
        with local_model(model) as candidate:
            baseline = last_blessed(folder, fingerprint(candidate))
        if baseline is None:
            return {BASELINE_VERSION_KEY: "", BASELINE_FINGERPRINT_KEY: ""}
        return {BASELINE_VERSION_KEY: str(baseline.version), BASELINE_FINGERPRINT_KEY: baseline.fingerprint}
