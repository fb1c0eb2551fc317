"""Plan and data -> jobs: where the results lie, and the digest by which a finished run is known."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from tfx.types import Artifact, artifact_utils

from tandem.models.recipes import RECIPES
from tandem.models.settings import ModelSettings
from tandem.models.training.checkpoints import digest, files_below
from tandem.models.training.dataset import matching_files
from tandem.models.training.trainer import TrainerConfig
from tandem.models.variants import settings_of
from tandem.pipeline.fingerprints import TRIAL, fingerprint
from tandem.pipeline.pipeline import trainer_settings, weights_of_outputs
from tandem.pipeline.trials.job import Job, TrialFiles
from tandem.pipeline.trials.trial import LIGHTGBM, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tandem.pipeline.configuration.config import Config

AS_IT_IS = "as_it_is"
"""The folder of a system without ablation."""


def files_of(config: Config, artifacts: Mapping[str, Mapping[str, list[Artifact]]]) -> TrialFiles:
    """Finds the files in the outputs of the data part.

    Args:
      config: Says whether there is a validation part.
      artifacts: By component, its output artifacts by key.
    """

    def split(name: str, examples: list[Artifact]) -> list[str]:
        return matching_files([f"{artifact_utils.get_split_uri(examples, name)}/*"])

    transformed = artifacts["Transform"]["transformed_examples"]
    return TrialFiles(
        train=split("train", transformed),
        validation=split("validation", transformed) if config.logs.split.validation else [],
        evaluation=split("eval", transformed),
        raw_evaluation=split("eval", artifacts["LogExampleGen"]["examples"]),
        transform_graph=artifacts["Transform"]["transform_graph"][0].uri,
    )


def make_jobs(config: Config, files: TrialFiles, runs: Iterable[Trial], folder: Path) -> list[Job]:
    """Makes a job of every run.

    Args:
      config: The configuration; its model section is what all systems have in common.
      files: What they read.
      runs: What to do.
      folder: Of the benchmark.
    """
    code = fingerprint(TRIAL)
    read = [
        *files.train,
        *files.validation,
        *files.evaluation,
        *files.raw_evaluation,
        *files_below(files.transform_graph),
    ]
    inputs = digest({"code": code, "group_by": config.evaluation.group_by, "weights": _weights(config)}, read)
    return [_job(config, files, run, folder, inputs) for run in runs]


def _job(config: Config, files: TrialFiles, run: Trial, folder: Path, inputs: str) -> Job:
    is_network = run.system in RECIPES
    # What is no network does not depend on the model's settings.
    model = settings_of(run.system, run.variant, config.model) if is_network else ModelSettings()
    settings: dict[str, Any] = trainer_settings(config) | {"model": model.model_dump(mode="json")}
    settings["aged"] = is_network and RECIPES[run.system].reads_ages
    # One process, one device: runs of one benchmark have to be comparable in speed, too.
    settings["training"] = settings["training"] | {"seed": run.seed, "distribution": "none"}
    learned_from = TrainerConfig.model_validate(settings).learned_from()
    name = digest({"inputs": inputs, "learned_from": learned_from, "package": _package(run.system)}, [])
    place = folder / run.system / (run.variant or AS_IT_IS)
    return Job(
        system=run.system,
        variant=run.variant,
        seed=run.seed,
        digest=name,
        trainer=settings,
        files=files,
        group_by=config.evaluation.group_by,
        weights=_weights(config),
        result=place / f"seed-{run.seed}.json",
        log_file=place / f"seed-{run.seed}.log",
        scratch=folder / "scratch",
        checkpoint_dir=folder / "checkpoints" / name,
    )


def _weights(config: Config) -> dict[str, tuple[str, ...]] | None:
    return weights_of_outputs(config) if config.evaluation.weighted else None


def _package(system: str) -> str | None:
    """The version of what trains a system that is no network; None where it is ours, or is not installed."""
    try:
        return importlib.metadata.version("lightgbm") if system == LIGHTGBM else None
    except importlib.metadata.PackageNotFoundError:
        return None
