"""Which pushed model a candidate is compared with, and whether the two can be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tandem.components.pusher.versions import fingerprint, pushed_versions

MANIFEST = "assets.extra/tandem.json"


class ManifestError(ValueError):
    """A SavedModel does not say what it answers."""


class Baseline(NamedTuple):
    """The last blessed model.

    Attributes:
      version: Its number in the push folder.
      path: Its folder.
      fingerprint: See `tandem.components.pusher.versions.fingerprint`.
    """

    version: int
    path: str
    fingerprint: str


def last_blessed(folder: str, candidate_fingerprint: str) -> Baseline | None:
    """Returns the newest pushed version that is not the candidate itself.

    The candidate is passed over so that a run repeated after its push compares what the first one compared.

    Args:
      folder: See `tandem.components.pusher.versions.model_folder`.
      candidate_fingerprint: See `tandem.components.pusher.versions.fingerprint`.
    """
    for version in pushed_versions(folder):
        digest = fingerprint(version.path)
        if digest != candidate_fingerprint:
            return Baseline(version.number, version.path, digest)
    return None


def output_names(saved_model: str) -> tuple[str, ...]:
    """Returns the names of a model's outputs, sorted.

    Raises:
      ManifestError: `assets.extra/tandem.json` is missing or does not list them.
    """
    path = Path(saved_model) / MANIFEST
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{saved_model} has no {MANIFEST}: it was not exported by this project") from None
    except ValueError as error:
        raise ManifestError(f"{path} is not JSON: {error}") from error
    outputs = manifest.get("outputs") if isinstance(manifest, dict) else None
    if not isinstance(outputs, list) or not outputs or not all(isinstance(name, str) for name in outputs):
        raise ManifestError(f"{path}: 'outputs' must be a list of names, got {outputs!r}")
    return tuple(sorted(outputs))


def why_incomparable(candidate: str, blessed: str) -> str | None:
    """Returns why two SavedModels cannot be compared output by output, None when they can.

    Raises:
      ManifestError: The candidate does not say what it answers.
    """
    expected = output_names(candidate)
    try:
        answered = output_names(blessed)
    except ManifestError as error:
        return f"it is not known what the last blessed model answers ({error})"
    if answered == expected:
        return None
    return f"the last blessed model answers [{', '.join(answered)}], the candidate [{', '.join(expected)}]"
