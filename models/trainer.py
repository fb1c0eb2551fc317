"""TFX's Trainer calls `run_fn`: transformed examples -> trained system -> exported model."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras
from pydantic import BaseModel

from models import workers
from models.checkpoints import Checkpoints, digest, files_below
from models.dataset import matching_files, read_examples, shuffled_passes
from models.distribution import Replicas
from models.export import export
from models.features import Feature, FeatureLayout
from models.registry import build
from models.settings import ModelSettings, TrainingSettings
from models.tasks import Task, TaskGraph
from models.training import BATCHES_FOR_BASE_RATES, initialize, train
from models.vocabulary import read_vocabulary

logger = logging.getLogger("tandem.train")

HISTORY_FILE = "history.json"
# Validation only predicts: a large batch is faster, and its size changes no figure.
VALIDATION_BATCH_SIZE = 8192


class TrainerConfig(BaseModel, extra="forbid", frozen=True):
    """What the pipeline hands to the Trainer as `custom_config`.

    Attributes:
      code_version: Digest of the code that trains; it only makes a change of code a change of input.
      has_validation: Whether the evaluation files are a validation part; if not, they are left alone.
      checkpoint_dir: Where checkpoints lie while training is not over. It must outlive a failed attempt, and be the
        same for the next one. None: `checkpoints` beside the folders of this component's outputs.
    """

    features: tuple[Feature, ...]
    tasks: tuple[Task, ...]
    model: ModelSettings
    training: TrainingSettings
    code_version: str
    has_validation: bool = False
    checkpoint_dir: str | None = None


def run_fn(fn_args: Any) -> None:
    """Trains and exports.

    Args:
      fn_args: TFX's FnArgs; `custom_config` holds a `TrainerConfig`.
    """
    config = TrainerConfig.model_validate(fn_args.custom_config)
    if config.training.distribution == "multi_worker":
        workers.run(fn_args, config.model_dump(mode="json"), config.training.workers)
        return
    strategy = tf.distribute.MirroredStrategy() if config.training.distribution == "mirrored" else None
    train_and_export(fn_args, config, Replicas(strategy))


def train_and_export(fn_args: Any, config: TrainerConfig, replicas: Replicas) -> None:
    """Trains with some replicas; the chief of them exports.

    Args:
      fn_args: TFX's FnArgs.
      config: What to train.
      replicas: Who computes a step.
    """
    graph = TaskGraph(config.tasks)
    layout = FeatureLayout(config.features)
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    tokens = len(read_vocabulary(transform)) if layout.vocabularies else 0
    settings = config.training

    keras.utils.set_random_seed(settings.seed)
    with replicas.scope():
        learner = build(config.model, graph, layout, tokens)
    files = matching_files(fn_args.train_files)
    passes = shuffled_passes(files, layout, len(graph), settings.batch_size, settings.shuffle_rows, settings.seed)
    validation = None
    validation_files = matching_files(fn_args.eval_files) if config.has_validation else []
    if validation_files:
        validation = read_examples(validation_files, layout, len(graph), VALIDATION_BATCH_SIZE)
    sample = read_examples(files, layout, len(graph), settings.batch_size).take(BATCHES_FOR_BASE_RATES)
    with replicas.scope():
        initialize(learner, graph, sample)
    logger.info("training %s on %d embedding rows", config.model.recipe, layout.first_token_row + tokens)
    if replicas.count > 1:
        logger.info("%d replicas", replicas.count)
    # No weight depends on where and how often checkpoints are made.
    learned_from = config.model_dump(mode="json", exclude={"training": {"checkpoint_minutes"}, "checkpoint_dir": True})
    inputs = [*files, *validation_files, *files_below(fn_args.transform_graph_path)]
    checkpoints = _checkpoints(config, fn_args.model_run_dir, digest(learned_from, inputs), replicas.is_chief)
    log_dir = fn_args.model_run_dir
    history = train(learner, graph, settings, passes, validation, log_dir, checkpoints, replicas)
    if not replicas.is_chief:
        return

    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(history, indent=2) + "\n")
    export(
        learner.network,
        graph,
        layout,
        transform,
        fn_args.serving_model_dir,
        {"code_version": config.code_version, "config": learned_from},
    )
    logger.info("exported the network with %s parameters", f"{learner.network.count_params():,}")
    if checkpoints:
        checkpoints.delete()


def _checkpoints(config: TrainerConfig, model_run_dir: str, name: str, writes: bool) -> Checkpoints | None:
    """Returns the place of a training's checkpoints; None where there shall be none.

    TFX removes the outputs of a failed attempt and gives the next one new folders, `<component>/<output>/<number>`, so
    no output can hold them.
    """
    if not config.training.checkpoint_minutes:
        return None
    component = os.path.dirname(os.path.dirname(model_run_dir.rstrip("/")))
    root = config.checkpoint_dir or os.path.join(component, "checkpoints")
    return Checkpoints(os.path.join(root, name), config.training.checkpoint_minutes, writes)
