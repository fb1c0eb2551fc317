"""The values of all metrics of one model and output, from arrays alone: the arithmetic that TFMA's metrics call."""

from __future__ import annotations

import numpy as np

from components.metrics import calibration, ranking
from components.metrics.catalog import METRICS


def output_values(
    codes: np.ndarray, labels: np.ndarray, scores: np.ndarray, counted: np.ndarray, grouped: np.ndarray
) -> dict[str, float]:
    """Computes the catalog's metrics of one model and output.

    Args:
      codes: [N] int64, the users.
      labels: [N] int8; 0 or 1 where counted.
      scores: [N] float32; nan where the model does not have the output: everything but the counts of rows is nan then.
      counted: [N] bool, the output's rows.
      grouped: [N] bool, those of them that name a user.
    """
    examples, positives = int(counted.sum()), int((labels[counted] == 1).sum())
    values = dict.fromkeys(METRICS, float("nan"))
    values["example_count"], values["positive_count"] = float(examples), float(positives)
    if np.isnan(scores).any():
        return values
    by_user = ranking.grouped_auc(codes[grouped], labels[grouped], scores[grouped])
    return values | {
        "auc": ranking.auc(labels[counted], scores[counted]),
        "gauc": by_user.uniform,
        "gauc_by_impressions": by_user.by_impressions,
        "gauc_by_positives": by_user.by_positives,
        "log_loss": calibration.log_loss(labels[counted], scores[counted]),
        "calibration": calibration.calibration(labels[counted], scores[counted]),
        "gauc_users": float(by_user.users),
        "gauc_users_left_out": float(by_user.users_left_out),
        "gauc_rows_left_out": float(by_user.rows_left_out + examples - int(grouped.sum())),
    }
