"""A pushed model, found and asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import TypeAdapter

from tandem.components.pusher.versions import model_files, newest_version
from tandem.models.features import Feature
from tandem.pipeline.configuration.columns import columns, uses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings.columns import ExampleColumn

DESCRIPTION = "assets.extra/tandem.json"
_ROWS_AT_ONCE = 4096  # More rows in a request are not answered faster.


def find(folder: str) -> str:
    """Returns the folder of the version to ask.

    Args:
      folder: That of a version, or the one above it, whose newest version is taken.

    Raises:
      ValueError: There is no model.
    """
    try:
        model_files(folder)
    except FileNotFoundError:
        newest = newest_version(folder) if Path(folder).is_dir() else None
        if newest is None:
            raise ValueError(
                f"{folder} holds no model: neither a SavedModel nor versions of one; a run pushes a model only if it "
                "is blessed, and `tandem run` prints its folder"
            ) from None
        return newest.path
    return folder


class Scorer:
    """A model that answers serialized tf.Examples.

    Attributes:
      path: The folder of its version.
      inputs: The raw columns that it takes, and in which form.
      outputs: The names of its probabilities.
    """

    def __init__(self, path: str):
        """Loads a model.

        Args:
          path: The folder of a version.

        Raises:
          ValueError: It is no model of ours.
        """
        self.path = path
        description = _description(path)
        self.outputs: tuple[str, ...] = tuple(description["outputs"])
        self.inputs = _inputs(description)
        import tensorflow as tf  # takes seconds: whatever is wrong before is told without it

        self._model = tf.saved_model.load(path)
        self._answer = self._model.signatures["serving_default"]
        self._constant = tf.constant

    def __call__(self, examples: Sequence[bytes]) -> pl.DataFrame:
        """Returns the probabilities of serialized tf.Examples: a Float32 column per output, a row each."""
        parts = [pl.DataFrame(schema=dict.fromkeys(self.outputs, pl.Float32))]
        for start in range(0, len(examples), _ROWS_AT_ONCE):
            answers = self._answer(examples=self._constant(examples[start : start + _ROWS_AT_ONCE]))
            parts.append(pl.DataFrame({name: answers[name].numpy().reshape(-1) for name in self.outputs}))
        return pl.concat(parts)


def _description(path: str) -> dict[str, Any]:
    file = Path(path) / DESCRIPTION
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{path} has no {DESCRIPTION}: it is no model that Tandem has trained") from None
    return found


def _inputs(description: dict[str, Any]) -> dict[str, ExampleColumn]:
    """Returns the columns as the model's features read them, which is how its training examples were written."""
    features = TypeAdapter(tuple[Feature, ...]).validate_python(description["config"]["features"])
    wanted, _ = columns(uses(enumerate(features), (), None))
    return {name: wanted[name] for name in description["inputs"]}
