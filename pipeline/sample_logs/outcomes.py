"""What really happened to the impressions, how likely it was, and the best ranking that follows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tandem.components.metrics.pairs import auc, grouped_auc
from tandem.pipeline.sample_logs.impressions import Impressions
from tandem.pipeline.sample_logs.timeline import in_evaluation
from tandem.pipeline.sample_logs.truth import CART, CLICK, CONVERSION, LABELS, Reachable
from tandem.pipeline.sample_logs.world import Probabilities

TABLE_SCHEMA = pa.schema(
    [
        ("impression_id", pa.int64()),
        (f"p_{CLICK}", pa.float32()),
        (f"p_{CART}_given_click", pa.float32()),
        (f"p_{CONVERSION}_given_click", pa.float32()),
        ("alignment", pa.float32()),
        (CLICK, pa.int8()),
        (CART, pa.int8()),
        (CONVERSION, pa.int8()),
    ]
)


def outcome_table(ids: np.ndarray, probabilities: Probabilities, labels: Mapping[str, np.ndarray]) -> pa.Table:
    """Returns the rows of `truth/probabilities.parquet` for some impressions.

    Args:
      ids: [B] int64.
      probabilities: Of these impressions.
      labels: By label, [B] bool.
    """
    columns = {
        "impression_id": ids,
        f"p_{CLICK}": probabilities.click.astype(np.float32),
        f"p_{CART}_given_click": probabilities.cart.astype(np.float32),
        f"p_{CONVERSION}_given_click": probabilities.conversion.astype(np.float32),
        "alignment": probabilities.alignment.astype(np.float32),
        **{name: label.astype(np.int8) for name, label in labels.items()},
    }
    return pa.table(columns, schema=TABLE_SCHEMA)


class Outcomes:
    """Collects what the best reachable ranking is computed from: 20 bytes for each impression.

    Attributes:
      is_eval: [impressions] bool, shown from `EVAL_START` on.
    """

    def __init__(self, impressions: int):
        self.is_eval = np.empty(impressions, bool)
        self._user = np.empty(impressions, np.uint32)
        self._probability = {name: np.empty(impressions, np.float32) for name in LABELS}
        self._label = {name: np.empty(impressions, bool) for name in LABELS}

    def record(
        self, first: int, shown: Impressions, probabilities: Probabilities, labels: Mapping[str, np.ndarray]
    ) -> None:
        """Takes in the impressions first ... first + B - 1; `labels` has [B] bool for each label."""
        here = slice(first, first + len(shown.user))
        self._user[here] = shown.user
        self.is_eval[here] = in_evaluation(shown.time_ms)
        given = {CLICK: probabilities.click, CART: probabilities.cart, CONVERSION: probabilities.conversion}
        for name in LABELS:
            self._probability[name][here] = given[name]
            self._label[name][here] = labels[name]

    def positives(self, rows: slice | np.ndarray) -> dict[str, int]:
        """Counts the chosen impressions with label 1, by label."""
        return {name: int(label[rows].sum()) for name, label in self._label.items()}

    def best_ranking(self, rows: slice | np.ndarray) -> dict[str, Reachable]:
        """Ranks the chosen impressions by their true probability, for every output of the three tasks."""
        user, clicked, p_click = self._user[rows], self._label[CLICK][rows], self._probability[CLICK][rows]
        best = {CLICK: _reachable(user, p_click, clicked)}
        for task in (CART, CONVERSION):
            label, probability = self._label[task][rows], self._probability[task][rows]
            best[f"{task}_given_click"] = _reachable(user[clicked], probability[clicked], label[clicked])
            best[f"click_and_{task}"] = _reachable(user, p_click * probability, label)
        return best


def _reachable(user: np.ndarray, score: np.ndarray, label: np.ndarray) -> Reachable:
    by_user = grouped_auc(user, label, score)
    return Reachable(auc=auc(label, score), gauc=by_user.uniform, users=by_user.users)
