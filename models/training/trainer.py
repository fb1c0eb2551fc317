"""TFX's Trainer calls `run_fn`: transformed examples -> trained system -> exported model."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras
from pydantic import BaseModel

from tandem.models.batch import RowFormat
from tandem.models.export import export
from tandem.models.features import Feature
from tandem.models.layout import FeatureLayout
from tandem.models.registry import build
from tandem.models.settings import ModelSettings, TrainingSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.models.training import workers
from tandem.models.training.checkpoints import Checkpoints, Position, digest, files_below
from tandem.models.training.dataset import matching_files, read_examples, shuffled_passes
from tandem.models.training.distribution import Replicas
from tandem.models.training.loop import BATCHES_FOR_BASE_RATES, initialize, train
from tandem.models.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tandem.models.learner import Learner

logger = logging.getLogger("tandem.train")

HISTORY_FILE = "history.json"
# Validation only predicts: a large batch is faster, and its size changes no figure.
VALIDATION_BATCH_SIZE = 8192


class TrainerConfig(BaseModel, extra="forbid", frozen=True):
    """What the pipeline hands to the Trainer as `custom_config`.

    Attributes:
      code_version: Digest of the code that trains; it only makes a change of code a change of input.
      has_validation: Whether the evaluation files are a validation part; if not, they are left alone.
      weighted: Whether the examples have weights.
      aged: Whether the examples have ages of labels, and the recipe reads them.
      checkpoint_dir: Where checkpoints lie while training is not over. It must outlive a failed attempt, and be the
        same for the next one. None: `checkpoints` beside the folders of this component's outputs.
    """

    features: tuple[Feature, ...]
    tasks: tuple[Task, ...]
    model: ModelSettings
    training: TrainingSettings
    code_version: str
    has_validation: bool = False
    weighted: bool = False
    aged: bool = False
    checkpoint_dir: str | None = None

    def learned_from(self) -> dict[str, Any]:
        """Returns the settings that the weights depend on: not where and how often checkpoints are made."""
        return self.model_dump(mode="json", exclude={"training": {"checkpoint_minutes"}, "checkpoint_dir": True})


@dataclass(frozen=True)
class Inputs:
    """The files that a training reads.

    Attributes:
      train: Transformed examples to learn from.
      validation: Transformed examples to stop by; may be none.
      transform_graph: The folder of the transform graph.
    """

    train: list[str]
    validation: list[str]
    transform_graph: str

    def digest(self, config: TrainerConfig) -> str:
        """Names the training of these files by a configuration: the same name, the same weights."""
        files = [*self.train, *self.validation, *files_below(self.transform_graph)]
        return digest(config.learned_from(), files)


@dataclass(frozen=True)
class Trained:
    """A trained system, and what its export needs.

    Attributes:
      history: Figures of every epoch.
    """

    learner: Learner
    graph: TaskGraph
    layout: FeatureLayout
    transform: tft.TFTransformOutput
    history: list[dict[str, float]]


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
    validation = matching_files(fn_args.eval_files) if config.has_validation else []
    inputs = Inputs(matching_files(fn_args.train_files), validation, fn_args.transform_graph_path)
    checkpoints = _checkpoints(config, fn_args.model_run_dir, inputs.digest(config), replicas.is_chief)
    trained = fit(config, inputs, replicas, fn_args.model_run_dir, checkpoints)
    if not replicas.is_chief:
        return
    with tf.io.gfile.GFile(f"{fn_args.model_run_dir}/{HISTORY_FILE}", "w") as file:
        file.write(json.dumps(trained.history, indent=2) + "\n")
    export_trained(config, trained, fn_args.serving_model_dir)
    if checkpoints:
        checkpoints.delete()


def fit(
    config: TrainerConfig,
    inputs: Inputs,
    replicas: Replicas,
    log_dir: str | None = None,
    checkpoints: Checkpoints | None = None,
    watch: Callable[[Position], None] = lambda position: None,
) -> Trained:
    """Builds a system and trains it.

    Args:
      config: What to build, and how to train it.
      inputs: What to train it on.
      replicas: Who computes a step.
      log_dir: Where TensorBoard's files go.
      checkpoints: Where to go on from, and to save to; None: from the start, and nothing is saved.
      watch: Told where training stands (see `train`).
    """
    graph = TaskGraph(config.tasks)
    layout = FeatureLayout(config.features)
    transform = tft.TFTransformOutput(inputs.transform_graph)
    tokens = len(read_vocabulary(transform)) if layout.vocabularies else 0
    settings = config.training

    keras.utils.set_random_seed(settings.seed)
    with replicas.scope():
        learner = build(config.model, graph, layout, tokens)
    files = inputs.train
    rows = RowFormat(layout, len(graph), config.weighted, config.aged)
    passes = shuffled_passes(files, rows, settings.batch_size, settings.shuffle_rows, settings.seed)
    validation = read_examples(inputs.validation, rows, VALIDATION_BATCH_SIZE) if inputs.validation else None
    sample = read_examples(files, rows, settings.batch_size).take(BATCHES_FOR_BASE_RATES)
    with replicas.scope():
        initialize(learner, graph, sample)
    logger.info("training %s on %d embedding rows", config.model.recipe, layout.first_token_row + tokens)
    if replicas.count > 1:
        logger.info("%d replicas", replicas.count)
    history = train(learner, graph, settings, passes, validation, log_dir, checkpoints, replicas, watch)
    return Trained(learner, graph, layout, transform, history)


def export_trained(config: TrainerConfig, trained: Trained, path: str) -> None:
    """Writes the SavedModel of a trained system's network.

    Args:
      config: What it was trained with.
      trained: The system.
      path: A folder that does not exist yet, or is empty.
    """
    network = trained.learner.network
    description = {"code_version": config.code_version, "config": config.learned_from()}
    export(network, trained.graph, trained.layout, trained.transform, path, description)
    logger.info("exported the network with %s parameters", f"{network.count_params():,}")


def _checkpoints(config: TrainerConfig, model_run_dir: str, name: str, writes: bool) -> Checkpoints | None:
    """Returns the place of a training's checkpoints; None where there shall be none.

    TFX removes the outputs of a failed attempt and gives the next one new folders, `<component>/<output>/<number>`, so
    no output can hold them.
    """
    if not config.training.checkpoint_minutes:
        return None
    component = model_run_dir.rstrip("/").rsplit("/", 2)[0]
    root = config.checkpoint_dir or f"{component}/checkpoints"
    return Checkpoints(f"{root}/{name}", config.training.checkpoint_minutes, writes)
