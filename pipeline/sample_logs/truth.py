"""The truth about sample logs: what is in them, how likely it was, and how well it can be predicted.

It stands in `truth/summary.json` and, impression by impression, in `truth/probabilities.parquet`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import BeforeValidator, ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from tandem.components.metrics.pairs import auc, grouped_auc
from tandem.pipeline.sample_logs.behaviour import LABEL_OF, LabelProbabilities
from tandem.pipeline.sample_logs.world import Impressions, in_evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tandem.pipeline.sample_logs.draws import Flags, Floats, Integers

LABELS = tuple(LABEL_OF.values())
_CLICK, _CART, _CONVERSION = LABELS

TABLE_SCHEMA = pa.schema(
    [
        ("impression_id", pa.int64()),
        (f"p_{_CLICK}", pa.float32()),
        (f"p_{_CART}_given_click", pa.float32()),
        (f"p_{_CONVERSION}_given_click", pa.float32()),
        ("alignment", pa.float32()),
        *((label, pa.int8()) for label in LABELS),
    ]
)

_Rows: TypeAlias = "slice | Flags"
_NumberOrNan: TypeAlias = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
_PLAIN_DATA = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="null")


@dataclass(frozen=True, config=_PLAIN_DATA)
class StreamCounts:
    """Where the rows of a stream belong; `rows` is the sum of the others.

    Attributes:
      rows: Lines in the files, the headers aside.
      counted: First rows of impressions, or of events that make a label 1.
      repeated: Further rows of an impression or event that has a first row (counted, late or of a late parent).
      late: Events after their window.
      late_parent: Events in time after a click that was itself late.
      orphan: Events without parent: the impression is in no file, or (carts, conversions) has no click.
      malformed: Lines with too few cells, without an id, or with an unreadable time.
    """

    rows: int
    counted: int
    repeated: int
    late: int
    late_parent: int
    orphan: int
    malformed: int


@dataclass(frozen=True, config=_PLAIN_DATA)
class Reachable:
    """What ranking by the true probability reaches.

    Attributes:
      auc: Over all rows; ties count half. NaN (null in JSON) where all labels are equal.
      gauc: Mean over users (all weights 1) of the user's AUC; users whose labels are all equal are left out.
      users: How many users that mean is over.
    """

    auc: _NumberOrNan
    gauc: _NumberOrNan
    users: int


@dataclass(frozen=True, config=_PLAIN_DATA)
class SampleTruth:
    """What is in the logs, and how well it can be predicted.

    Attributes:
      impressions: How many different ones.
      users: In the side table.
      items: In the side table.
      seed: Of the random numbers.
      streams: By stream (`impressions`, `clicks`, `carts`, `conversions`).
      positives: By label (`click`, `add_to_cart`, `conversion`): impressions with label 1.
      eval_positives: The same for the impressions from `EVAL_START` on.
      best: By output (`click`, `conversion_given_click`, `click_and_conversion` ...), over all impressions.
      eval_best: The same over the impressions from `EVAL_START` on.
      reused: The files were there already and have not been written again.
    """

    impressions: int
    users: int
    items: int
    seed: int
    streams: Mapping[str, StreamCounts]
    positives: Mapping[str, int]
    eval_positives: Mapping[str, int]
    best: Mapping[str, Reachable]
    eval_best: Mapping[str, Reachable]
    reused: bool = False


def write_summary(folder: Path, truth: SampleTruth) -> None:
    """Writes `truth/summary.json`; a NaN becomes null."""
    # `reused` is about the call, not about the logs.
    content = TypeAdapter(SampleTruth).dump_json(truth, indent=2, exclude={"reused"})
    _summary(folder).write_bytes(content + b"\n")


def read_summary(folder: Path) -> SampleTruth:
    """Reads what `write_summary` wrote.

    Raises:
      OSError: There is no such file.
      ValueError: It is another one.
    """
    return TypeAdapter(SampleTruth).validate_json(_summary(folder).read_bytes())


def _summary(folder: Path) -> Path:
    return folder / "truth" / "summary.json"


def outcome_table(
    ids: Integers, probabilities: LabelProbabilities, alignment: Floats, labels: Mapping[str, Flags]
) -> pa.Table:
    """Returns the rows of `truth/probabilities.parquet` for some impressions.

    Args:
      ids: [B].
      probabilities: Of these impressions.
      alignment: [B], see `World.alignment`.
      labels: By label, [B].
    """
    columns: dict[str, NDArray[Any]] = {
        "impression_id": ids,
        f"p_{_CLICK}": probabilities.click.astype(np.float32),
        f"p_{_CART}_given_click": probabilities.cart.astype(np.float32),
        f"p_{_CONVERSION}_given_click": probabilities.conversion.astype(np.float32),
        "alignment": alignment.astype(np.float32),
        **{name: label.astype(np.int8) for name, label in labels.items()},
    }
    return pa.table(columns, schema=TABLE_SCHEMA)


class TruthRecorder:
    """Collects what the truth is computed from: 20 bytes for each impression."""

    def __init__(self, impressions: int):
        self._user = np.empty(impressions, np.uint32)
        self._is_eval = np.empty(impressions, bool)
        self._probability = {name: np.empty(impressions, np.float32) for name in LABELS}
        self._label = {name: np.empty(impressions, bool) for name in LABELS}

    def record(
        self, first: int, shown: Impressions, probabilities: LabelProbabilities, labels: Mapping[str, Flags]
    ) -> None:
        """Takes in the impressions first ... first + B - 1; `labels` has [B] bool for each label."""
        here = slice(first, first + len(shown.user))
        self._user[here] = shown.user
        self._is_eval[here] = in_evaluation(shown.time_ms)
        for name, probability in zip(LABELS, probabilities, strict=True):
            self._probability[name][here] = probability
            self._label[name][here] = labels[name]

    def truth(self, users: int, items: int, seed: int, streams: Mapping[str, StreamCounts]) -> SampleTruth:
        """Returns the truth; all impressions must have been recorded. Arguments as in `SampleTruth`."""
        every = slice(None)
        return SampleTruth(
            impressions=len(self._user),
            users=users,
            items=items,
            seed=seed,
            streams=streams,
            positives=self._positives(every),
            eval_positives=self._positives(self._is_eval),
            best=self._best_ranking(every),
            eval_best=self._best_ranking(self._is_eval),
        )

    def _positives(self, rows: _Rows) -> dict[str, int]:
        """Counts the chosen impressions with label 1, by label."""
        return {name: int(label[rows].sum()) for name, label in self._label.items()}

    def _best_ranking(self, rows: _Rows) -> dict[str, Reachable]:
        """Ranks the chosen impressions by their true probability, for every output of the three tasks."""
        user, clicked, p_click = self._user[rows], self._label[_CLICK][rows], self._probability[_CLICK][rows]
        best = {_CLICK: _reachable(user, p_click, clicked)}
        for task in (_CART, _CONVERSION):
            label, probability = self._label[task][rows], self._probability[task][rows]
            best[f"{task}_given_click"] = _reachable(user[clicked], probability[clicked], label[clicked])
            best[f"click_and_{task}"] = _reachable(user, p_click * probability, label)
        return best


def _reachable(user: NDArray[np.uint32], score: NDArray[np.float32], label: Flags) -> Reachable:
    by_user = grouped_auc(user, label, score)
    return Reachable(auc=auc(label, score), gauc=by_user.uniform, users=by_user.users)
