"""One run, in a process of its own: `python -m tandem.pipeline.trials.worker`, with a `Job` on standard input.

Standard output has what the run says, a message per line; everything that libraries say goes to the job's log file. The
report appears when all is done. The exit code is 0, or 1 with the reason in the last line.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from tandem.pipeline import environment
from tandem.pipeline.failures import reason
from tandem.pipeline.local import run_log
from tandem.pipeline.trials.job import Job
from tandem.pipeline.trials.report import TrialReport, write_report


def main() -> int:
    """Does the run that standard input describes."""
    environment.prepare()
    job = Job.model_validate_json(sys.stdin.read())
    with run_log.captured(job.log_file) as terminal:
        logger = logging.getLogger("tandem")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Lines(terminal))
        try:
            write_report(job.result, perform(job))
        except Exception as error:
            logging.getLogger(__name__).exception("the run failed")
            print(" ".join(reason(error).split()), file=terminal, flush=True)
            return 1
    return 0


def perform(job: Job) -> TrialReport:
    """Trains, evaluates, and looks inside."""
    from tandem.pipeline.trials.trial import LIGHTGBM

    return _trees(job) if job.system == LIGHTGBM else _network(job)


def _network(job: Job) -> TrialReport:
    import tensorflow as tf

    from tandem.models.training.checkpoints import Checkpoints
    from tandem.models.training.distribution import Replicas
    from tandem.models.training.trainer import Inputs, TrainerConfig, export_trained, fit
    from tandem.pipeline.trials.look_inside import look_inside
    from tandem.pipeline.trials.scoring import evaluate, latency_ms
    from tandem.pipeline.trials.stopwatch import Stopwatch

    logger = logging.getLogger("tandem.bench")
    config = TrainerConfig.model_validate(job.trainer)
    inputs = Inputs(job.files.train, job.files.validation, job.files.transform_graph)
    minutes = config.training.checkpoint_minutes
    checkpoints = Checkpoints(os.fspath(job.checkpoint_dir), minutes) if minutes else None
    stopwatch = Stopwatch(config.training.batch_size)
    trained = fit(config, inputs, Replicas(None), checkpoints=checkpoints, watch=stopwatch)
    speed = stopwatch.speed()

    job.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=job.scratch) as folder:
        exported = os.fspath(Path(folder) / "model")
        export_trained(config, trained, exported)
        signature = tf.saved_model.load(exported).signatures["serving_default"]

        def answer(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            answers: dict[str, tf.Tensor] = signature(examples=examples)
            return answers

        logger.info("evaluating")
        metrics = evaluate(answer, job.files.raw_evaluation, trained.graph, job.group_by, job.weights)
        latency = latency_ms(answer, job.files.raw_evaluation)
    inside = look_inside(trained.learner, trained.graph, trained.layout, job.files.evaluation)
    if checkpoints:
        checkpoints.delete()
    return TrialReport(
        system=job.system,
        variant=job.variant,
        seed=job.seed,
        digest=job.digest,
        metrics=metrics,
        parameters_trained=sum(int(tf.size(each)) for each in trained.learner.trainable_variables),
        parameters_exported=trained.learner.network.count_params(),
        speed=speed,
        latency_ms=latency,
        inside=inside,
    )


def _trees(job: Job) -> TrialReport:
    from tandem.models.layout import FeatureLayout
    from tandem.models.tasks import TaskGraph
    from tandem.models.training.trainer import Inputs, TrainerConfig
    from tandem.pipeline.trials import trees
    from tandem.pipeline.trials.report import Speed
    from tandem.pipeline.trials.scoring import evaluate, latency_ms

    config = TrainerConfig.model_validate(job.trainer)
    graph, layout = TaskGraph(config.tasks), FeatureLayout(config.features)
    inputs = Inputs(job.files.train, job.files.validation, job.files.transform_graph)
    started = time.monotonic()
    boosters = trees.fit(graph, layout, inputs, job.seed, config.weighted)
    # Trees have no steps: a tree sees all rows.
    speed = Speed(examples=0, seconds=0.0, cpu_seconds=0.0, whole_seconds=time.monotonic() - started)
    answer = trees.answer_of(boosters, graph, layout, inputs.transform_graph)
    return TrialReport(
        system=job.system,
        variant=job.variant,
        seed=job.seed,
        digest=job.digest,
        metrics=evaluate(answer, job.files.raw_evaluation, graph, job.group_by, job.weights),
        speed=speed,
        latency_ms=latency_ms(answer, job.files.raw_evaluation),
    )


class _Lines(logging.Handler):
    """Writes every message in a line. Where nobody reads any more, the error ends the run."""

    def __init__(self, terminal: TextIO):
        super().__init__(logging.INFO)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        print(" ".join(record.getMessage().split()), file=self._terminal, flush=True)


if __name__ == "__main__":
    sys.exit(main())
