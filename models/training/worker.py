"""One of the processes that train together (see `workers`): `python -m tandem.models.training.worker FILE`."""

from __future__ import annotations

import json
import logging
import sys
import types
from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.training.workers import MARK

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Trains as the worker that the environment variable TF_CONFIG says.

    Args:
      arguments: The path of the file that `tandem.models.training.workers.run` wrote.

    Returns:
      0; 2: not called with one argument.
    """
    if len(arguments) != 1:
        print("usage: python -m tandem.models.training.worker FILE", file=sys.stderr)
        return 2
    # TensorFlow connects the workers before anything else that it does.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    from tandem.models.training.distribution import Replicas
    from tandem.models.training.trainer import TrainerConfig, train_and_export

    speaker = logging.getLogger("tandem.train")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(f"{MARK}%(message)s"))
    speaker.addHandler(handler)
    speaker.setLevel(logging.INFO)
    with tf.io.gfile.GFile(arguments[0]) as file:
        fn_args = types.SimpleNamespace(**json.loads(file.read()))
    train_and_export(fn_args, TrainerConfig.model_validate(fn_args.custom_config), Replicas(strategy))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
