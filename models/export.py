"""Network and transform graph -> a SavedModel that answers raw tf.Examples.

The module that is saved owns the transform graph and the network, and nothing else exists for it: objectives, optimizer
and their variables cannot get into the export because they are not handed over.
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_transform as tft

from tandem.models.batch import feature_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.layout import FeatureLayout
    from tandem.models.network import Network
    from tandem.models.tasks import TaskGraph

DESCRIPTION_FILE = "assets.extra/tandem.json"


class _Transform(tft.TransformFeaturesLayer):
    """The transform graph, kept from AutoGraph: it has no Python control flow, and rewriting TFT takes long."""

    def call(self, inputs: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Transforms raw columns; columns that are not there lead to no output."""
        # Not a decorator: under one, Keras cannot see that this method takes no `training`.
        call = tf.autograph.experimental.do_not_convert(tft.TransformFeaturesLayer.call)
        transformed: dict[str, tf.Tensor] = call(self, inputs)
        return transformed


class Signatures(tf.Module):
    """The exported model's ways of being asked.

    Args:
      network: The trained network.
      transform: Raw columns -> the network's inputs.
      layout: Which columns are asked for.
    """

    def __init__(self, network: Network, transform: tft.TFTransformOutput, layout: FeatureLayout):
        super().__init__(name="signatures")
        # The variables, not the Keras model: saving one would trace every layer again and store Keras' own description.
        self._variables = {variable.name: variable for variable in network.variables}
        self._answer = lambda inputs: network(inputs, training=False)
        self._transform = _Transform(transform)
        columns = transform.raw_feature_spec()
        self._raw_spec = {name: spec for name, spec in columns.items() if name in layout.columns}
        self._inputs = tuple(feature_spec(layout))

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that a request may have; one that it lacks counts as an empty cell."""
        return tuple(sorted(self._raw_spec))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers serialized tf.Examples.

        Args:
          examples: [B].

        Returns:
          By output name, the probability, float32 [B].
        """
        transformed = self._transform(tf.io.parse_example(examples, self._raw_spec))
        answers: dict[str, tf.Tensor] = self._answer({name: transformed[name] for name in self._inputs})
        return answers


def export(
    network: Network,
    graph: TaskGraph,
    layout: FeatureLayout,
    transform: tft.TFTransformOutput,
    path: str,
    description: Mapping[str, Any],
) -> None:
    """Writes the SavedModel.

    Args:
      network: The trained network.
      graph: The tasks, which name the outputs.
      layout: Where the features stand.
      transform: The transform graph that the network was trained on.
      path: A folder that does not exist yet, or is empty.
      description: What else people should find in `assets.extra/tandem.json`.
    """
    signatures = Signatures(network, transform, layout)
    tf.saved_model.save(signatures, path, signatures={"serving_default": signatures.serve})
    described = {
        "outputs": [output.name for output in graph.outputs()],
        "inputs": list(signatures.columns),
        **description,
    }
    file = posixpath.join(path, DESCRIPTION_FILE)
    tf.io.gfile.makedirs(posixpath.dirname(file))
    with tf.io.gfile.GFile(file, "w") as out:
        out.write(json.dumps(described, indent=2, sort_keys=True) + "\n")
