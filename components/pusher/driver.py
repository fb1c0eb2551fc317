"""Keeps the pusher out of the cache."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tandem.components.pusher.properties_driver import PropertiesDriver

if TYPE_CHECKING:
    from tfx.orchestration.portable import data_types

PUSH_ATTEMPT_KEY = "push_attempt"


class Driver(PropertiesDriver):
    """Gives every run a cache key of its own.

    A cached "pushed" speaks of the push folder as it was; the version may have been deleted since. TFX has a cache
    switch for whole pipelines only, hence this. A push that has nothing to do copies nothing.
    """

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, str]:
        """Returns a property that no other run has."""
        return {PUSH_ATTEMPT_KEY: uuid.uuid4().hex}
