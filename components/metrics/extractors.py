"""The Evaluator's extractors: from record batches of raw examples to the statistics of every slice.

TFMA's own extractors hand metrics one example at a time. These keep a batch in a few arrays: the columns that the
evaluation names are read from the record batch, the models answer for the whole batch, and rows become sums (see
`tandem.components.metrics.sharding`) that go on as one extract for every slice. Metrics of this package alone
understand it.

The TFX Evaluator finds `custom_extractors` by the name of this module.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.extractors import extractor, predictions_extractor, slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2
from tfx_bsl.tfxio import tensor_adapter

from tandem.components.metrics.beam_steps import SliceStatistics
from tandem.components.metrics.by_user import ACTIVITY
from tandem.components.metrics.groups import clusters, group_codes
from tandem.components.metrics.rows import NOT_COUNTED, Layout, Rows
from tandem.components.metrics.sharding import Sharding
from tandem.components.metrics.slicing import Column, crossed
from tandem.components.metrics.statistics import Statistics

BATCH_ROWS = 8192
"""Rows a batch is filled up to: TFXIO's have 1,000 at most, and every (batch, slice) costs the same."""

STATISTICS_KEY = "task_statistics"
"""The extracts' key of a slice's `Statistics`."""

_READ_STAGE = "ReadColumns"
_COLUMNS_KEY = "task_columns"

_logger = logging.getLogger("tandem.evaluate")


def custom_extractors(
    eval_shared_model: types.MaybeMultipleEvalSharedModels,
    eval_config: config_pb2.EvalConfig,
    tensor_adapter_config: tensor_adapter.TensorAdapterConfig | None = None,
) -> list[extractor.Extractor]:
    """Returns the extractors of an evaluation (the TFX Evaluator's hook).

    Args:
      eval_shared_model: The candidate, or candidate and baseline.
      eval_config: Its model specs name labels and conditions (see `Layout.of`), its slicing specs columns; the metrics'
        configuration names the user's column (`group_by`) and has the edges of buckets (`buckets`).
      tensor_adapter_config: Not needed: columns are read as they are.

    Raises:
      ValueError: The EvalConfig slices by value or by SQL, or names no or several user columns.
    """
    del tensor_adapter_config
    layout, slicings = Layout.of(eval_config), _slicings(eval_config)
    group_by, buckets = _options(eval_config)
    models = eval_shared_model if isinstance(eval_shared_model, list) else [eval_shared_model]
    baselines = {model.model_name for model in models if model.is_baseline}
    sharding = Sharding(layout, tuple(_by_activity(names, buckets) for names in slicings), buckets.get(ACTIVITY, ()))
    return [
        extractor.Extractor(_READ_STAGE, beam.ParDo(_ReadColumns(layout, group_by, slicings, buckets))),
        predictions_extractor.PredictionsExtractor(eval_config=eval_config, eval_shared_model=eval_shared_model),
        extractor.Extractor(
            slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME,
            _ExtractStatistics(_MakeRows(layout, slicings, buckets, may_lack_outputs=baselines), sharding),
        ),
    ]


_Buckets = Mapping[str, tuple[float, ...]]


def _options(eval_config: config_pb2.EvalConfig) -> tuple[str, _Buckets]:
    """Reads the user's column, and the edges by column, from the configuration of the metrics."""
    configs = [json.loads(metric.config or "{}") for spec in eval_config.metrics_specs for metric in spec.metrics]
    columns = {config["group_by"] for config in configs if config.get("group_by")}
    if len(columns) != 1:
        raise ValueError(f"the metrics must name one column as 'group_by', they name {sorted(columns)}")
    buckets = {name: tuple(edges) for config in configs for name, edges in config.get("buckets", {}).items()}
    return columns.pop(), buckets


def _by_activity(names: Sequence[str], buckets: _Buckets) -> bool:
    """Whether slices are, or are crossed with, the numbers of rows of users: a column of that name needs no edges."""
    return ACTIVITY in names and ACTIVITY in buckets


def _read_names(names: Sequence[str], buckets: _Buckets) -> list[str]:
    """The columns of a slicing that are read from examples."""
    return [name for name in names if name != ACTIVITY or not _by_activity(names, buckets)]


def _slicings(eval_config: config_pb2.EvalConfig) -> list[tuple[str, ...]]:
    for spec in eval_config.slicing_specs:
        if spec.feature_values or spec.slice_keys_sql:
            raise ValueError(f"slices are made by feature_keys alone, not as in {spec}")
    if eval_config.cross_slicing_specs:
        raise ValueError("cross_slicing_specs are not supported; give two feature_keys to cross them")
    return [tuple(spec.feature_keys) for spec in eval_config.slicing_specs] or [()]


@dataclass(frozen=True)
class _Columns:
    """What the evaluation needs of a batch of N rows besides the model's answers.

    Attributes:
      groups: [N] int64, the users (see `Rows`).
      clusters: [N] uint8 (see `Rows`).
      labels: Column -> [N] int8.
      slices: Column -> its values.
    """

    groups: np.ndarray
    clusters: np.ndarray
    labels: Mapping[str, np.ndarray]
    slices: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, row: int) -> Any:
        # When a model fails on a batch, TFMA takes the extracts apart to try row by row, which ends here: it would be
        # thousands of times slower and fail again. TFMA's error prints all examples; its cause is the model's own.
        error = sys.exc_info()[1]
        cause = error.__cause__ or error if error else None
        raise RuntimeError(f"a model failed on a batch of {len(self)} examples: {cause}") from cause

    @staticmethod
    def concatenate(parts: Sequence[_Columns]) -> _Columns:
        first = parts[0]
        return _Columns(
            np.concatenate([part.groups for part in parts]),
            np.concatenate([part.clusters for part in parts]),
            {name: np.concatenate([part.labels[name] for part in parts]) for name in first.labels},
            {name: Column.concatenate([part.slices[name] for part in parts]) for name in first.slices},
        )


class _ReadColumns(beam.DoFn):
    """Reads the columns of record batches and fills up batches to BATCH_ROWS."""

    def __init__(self, layout: Layout, group_by: str, slicings: Sequence[tuple[str, ...]], buckets: _Buckets):
        self._labels = layout.label_columns
        self._group_by = group_by
        self._slices = sorted({name for names in slicings for name in _read_names(names, buckets)})
        self._buckets = buckets
        self._held: list[tuple[np.ndarray, _Columns]] = []

    def start_bundle(self) -> None:
        self._held = []

    def process(self, extracts: types.Extracts) -> Iterator[types.Extracts]:
        batch: pa.RecordBatch = extracts[constants.ARROW_RECORD_BATCH_KEY]
        raw = batch.column(batch.schema.get_field_index(constants.ARROW_INPUT_COLUMN))
        examples = raw.flatten().to_numpy(zero_copy_only=False)
        groups = group_codes(read_column(batch, self._group_by), self._group_by)
        columns = _Columns(
            groups=groups,
            clusters=clusters(groups, lambda: pd.util.hash_array(examples).view(np.int64)),
            labels={name: _read_label(batch, name) for name in self._labels},
            slices={name: read_column(batch, name, numbers=name in self._buckets) for name in self._slices},
        )
        self._held.append((examples, columns))
        if sum(len(held) for held, _ in self._held) >= BATCH_ROWS:
            yield self._filled()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._held:
            yield WindowedValue(self._filled(), MIN_TIMESTAMP, (GlobalWindow(),))

    def _filled(self) -> types.Extracts:
        examples, columns = zip(*self._held, strict=True)
        self._held = []
        return {constants.INPUT_KEY: np.concatenate(examples), _COLUMNS_KEY: _Columns.concatenate(columns)}


def read_column(batch: pa.RecordBatch, name: str, numbers: bool = False) -> Column:
    """Reads a column of categories or integers; a column that the batch does not have is missing in every row.

    Args:
      batch: As TFXIO makes it: lists of values.
      name: The column.
      numbers: Whether to read one of numbers: integers or floats.

    Raises:
      ValueError: The column is of another type.
    """
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return Column(np.empty(0, object), np.zeros(batch.num_rows, np.int64))
    array = batch.column(index)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        of = array.type.value_type
        categories = pa.types.is_large_binary(of) or pa.types.is_binary(of)
        if pa.types.is_integer(of) or (pa.types.is_floating(of) if numbers else categories):
            counts = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
            return Column(array.flatten().to_numpy(zero_copy_only=False), counts)
    wanted = "buckets need numbers" if numbers else "users and slices need categories (bytes) or integers"
    raise ValueError(f"column '{name}' is {array.type}: {wanted}")


def _read_label(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Reads a label of every row, 0 or 1, as int8."""
    column = read_column(batch, name)
    if (column.counts != 1).any():
        wrong = int((column.counts != 1).sum())
        raise ValueError(f"label '{name}' must have one value in every example; {wrong} of {batch.num_rows} have not")
    labels = column.values
    if labels.dtype == object or ((labels != 0) & (labels != 1)).any():
        other = labels[0] if labels.dtype == object else labels[(labels != 0) & (labels != 1)][0]
        raise ValueError(f"label '{name}' must be 0 or 1, an example has {other!r}")
    return labels.astype(np.int8)


class _ExtractStatistics(beam.PTransform):
    """Rows -> an extract for every slice."""

    def __init__(self, make_rows: _MakeRows, sharding: Sharding):
        super().__init__()
        self._make_rows = make_rows
        self._sharding = sharding

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        return (
            extracts
            | "Rows" >> beam.ParDo(self._make_rows)
            | "Statistics" >> SliceStatistics(self._sharding)
            | "Extracts" >> beam.Map(_extract)
        )


class _MakeRows(beam.DoFn):
    """Puts labels, the models' answers and slices side by side."""

    def __init__(
        self, layout: Layout, slicings: Sequence[tuple[str, ...]], buckets: _Buckets, may_lack_outputs: set[str]
    ):
        self._layout = layout
        self._slicings = [_read_names(names, buckets) for names in slicings]
        self._buckets = buckets
        self._may_lack_outputs = may_lack_outputs
        self._warned: set[str] = set()

    def process(self, extracts: types.Extracts) -> Iterator[Rows]:
        columns: _Columns = extracts[_COLUMNS_KEY]
        by_name = {name: column.sliced(name, self._buckets.get(name, ())) for name, column in columns.slices.items()}
        yield Rows(
            {
                "users": columns.groups,
                "clusters": columns.clusters,
                "labels": self._label_matrix(columns),
                "scores": self._score_matrix(extracts, len(columns)),
            },
            tuple(crossed(by_name, names, len(columns)) for names in self._slicings),
        )

    def _label_matrix(self, columns: _Columns) -> np.ndarray:
        counted = []
        for output in self._layout.outputs:
            labels = columns.labels[output.label]
            if output.given is not None:
                labels = np.where(columns.labels[output.given] == 1, labels, np.int8(NOT_COUNTED))
            if output.final is not None:
                labels = np.where(columns.labels[output.final] == 1, labels, np.int8(NOT_COUNTED))
            counted.append(labels)
        return np.stack(counted, axis=1)

    def _score_matrix(self, extracts: types.Extracts, rows: int) -> np.ndarray:
        predictions = extracts[constants.PREDICTIONS_KEY]
        scores = []
        for model in self._layout.models:
            answers = predictions if len(self._layout.models) == 1 else predictions[model]
            if not isinstance(answers, Mapping):
                # TFMA unwraps the answer of a model with a single output.
                answers = {self._layout.outputs[0].name: answers} if len(self._layout.outputs) == 1 else {"": answers}
            scores += [self._scores(answers, model, output.name, rows) for output in self._layout.outputs]
        return np.stack(scores, axis=1)

    def _scores(self, answers: Mapping[str, Any], model: str, output: str, rows: int) -> np.ndarray:
        called = f"the {model} model" if model else "the model"
        if output not in answers:
            if model not in self._may_lack_outputs:
                raise ValueError(f"{called} does not answer '{output}'; it answers {sorted(answers)}")
            if output not in self._warned:
                self._warned.add(output)
                _logger.warning("%s does not answer '%s': nothing to compare with", called, output)
            return np.full(rows, np.nan, np.float32)
        scores = np.asarray(answers[output], np.float32)
        if scores.size != rows:
            raise ValueError(
                f"{called} must answer '{output}' with shape [{rows}] or [{rows}, 1], not {list(scores.shape)}"
            )
        scores = scores.reshape(rows)
        inside = (scores >= 0) & (scores <= 1)
        if not inside.all():
            raise ValueError(
                f"{called} must answer '{output}' with probabilities; {int((~inside).sum())} of {rows} answers lie "
                f"outside [0, 1], one is {scores[~inside][0]}"
            )
        return scores


def _extract(statistics: Statistics) -> types.Extracts:
    return {constants.SLICE_KEY_TYPES_KEY: [statistics.slices[0]], STATISTICS_KEY: statistics}
