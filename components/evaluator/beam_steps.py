"""The evaluation as Beam transforms: record batches of raw examples -> the metrics of every slice.

TFMA's own extractors hand metrics one example at a time. These keep a batch in a few arrays: columns are read from the
record batch, the models answer for the whole batch, and rows become sums.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from tandem.components.evaluator.example_rows import ExampleColumns, probabilities
from tandem.components.evaluator.results import BASELINE
from tandem.components.evaluator.slice_results import slice_results
from tandem.components.evaluator.slice_statistics import SliceStatistics
from tandem.components.evaluator.tfma_adapter import RAW_EXAMPLES_COLUMN, Answers, ModelAnswers
from tandem.components.metrics.sharding import Sharding
from tandem.components.metrics.slice_key import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from tandem.components.evaluator.plan import EvaluationPlan
    from tandem.components.metrics.rows import Rows

BATCH_ROWS = 8192
"""Rows a batch is filled up to: TFXIO's have 1,000 at most, and every (batch, slice) costs the same."""

_logger = logging.getLogger("tandem.evaluate")


class Evaluate(beam.PTransform[Any, Any]):
    """Record batches of raw examples -> the results of each slice, one element per slice."""

    def __init__(self, plan: EvaluationPlan, models: Mapping[str, str]):
        """Initializes the transform.

        Args:
          plan: What is evaluated.
          models: By name (see `tandem.components.evaluator.results`), the folder of a SavedModel.
        """
        super().__init__()
        self._plan = plan
        self._models = models

    def expand(self, batches: Any) -> Any:
        """Builds the transform: PCollection[pa.RecordBatch] -> PCollection[SliceResults]."""
        outputs = tuple(output.name for output in self._plan.outputs)
        sharding = Sharding(self._plan.by_activity, self._plan.settings.buckets.get(ACTIVITY, ()))
        return (
            batches
            | "ReadColumns" >> beam.ParDo(ReadColumns(self._plan))
            | "ModelAnswers" >> ModelAnswers(self._models, outputs)
            | "MakeRows" >> beam.ParDo(MakeRows(self._plan))
            | "SliceStatistics" >> SliceStatistics(sharding)
            | "SliceResults"
            >> beam.Map(
                slice_results,
                models=tuple(self._models),
                outputs=outputs,
                grouped=self._plan.settings.group_by is not None,
            )
        )


class ReadColumns(beam.DoFn):
    """Record batches -> (serialized examples, their columns), in batches that are filled up to BATCH_ROWS."""

    def __init__(self, plan: EvaluationPlan):
        self._plan = plan
        self._held: list[tuple[NDArray[np.object_], ExampleColumns]] = []

    def start_bundle(self) -> None:
        """Begins with nothing."""
        self._held = []

    def process(self, batch: pa.RecordBatch) -> Iterator[tuple[NDArray[np.object_], ExampleColumns]]:
        """Reads a batch."""
        raw = batch.column(batch.schema.get_field_index(RAW_EXAMPLES_COLUMN))
        examples = raw.flatten().to_numpy(zero_copy_only=False)
        self._held.append((examples, ExampleColumns.read(batch, examples, self._plan)))
        if sum(len(held) for held, _ in self._held) >= BATCH_ROWS:
            yield self._filled()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Hands on what is left."""
        if self._held:
            yield WindowedValue(self._filled(), MIN_TIMESTAMP, (GlobalWindow(),))

    def _filled(self) -> tuple[NDArray[np.object_], ExampleColumns]:
        examples, columns = zip(*self._held, strict=True)
        self._held = []
        return np.concatenate(examples), ExampleColumns.concatenate(columns)


class MakeRows(beam.DoFn):
    """(Columns, the models' answers) -> rows."""

    def __init__(self, plan: EvaluationPlan):
        self._plan = plan
        self._warned: set[str] = set()

    def process(self, batch: tuple[ExampleColumns, Answers]) -> Iterator[Rows]:
        """Puts labels, answers and slices side by side."""
        columns, answers = batch
        scores = [
            probabilities(
                of_model,
                f"the {model} model" if len(answers) > 1 else "the model",
                output.name,
                len(columns),
                lacking=functools.partial(self._lacks, output.name) if model == BASELINE else None,
            )
            for model, of_model in answers.items()
            for output in self._plan.outputs
        ]
        yield columns.rows(scores, self._plan)

    def _lacks(self, output: str) -> None:
        """Says once that the blessed model is from before a task was added."""
        if output not in self._warned:
            self._warned.add(output)
            _logger.warning("the %s model does not answer '%s': nothing to compare with", BASELINE, output)
