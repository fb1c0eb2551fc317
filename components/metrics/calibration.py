"""How far predicted probabilities are right in size: log loss, and predicted over observed.

>>> calibration(np.array([0, 0, 0, 1]), np.array([0.25, 0.25, 0.5, 0.5]))
1.5
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_CLOSEST_TO_CERTAIN = 1e-7


def log_loss(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Computes the mean of -log(probability given to what happened), in nats.

    Probabilities are kept 1e-7 away from 0 and 1, as float32 models saturate there.

    Args:
      labels: [N], 0 or 1.
      probabilities: [N], in [0, 1].

    Returns:
      The loss; nan when there are no rows.
    """
    labels, probabilities = _checked(labels, probabilities)
    if not len(labels):
        return float("nan")
    return float(row_losses(labels, probabilities).mean())


def row_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Computes each row's log loss, in nats.

    Args:
      labels: [N] bool.
      probabilities: [N]; kept 1e-7 away from 0 and 1.
    """
    kept = np.clip(np.asarray(probabilities, np.float64), _CLOSEST_TO_CERTAIN, 1 - _CLOSEST_TO_CERTAIN)
    return -np.log(np.where(labels, kept, 1 - kept))


def calibration(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Computes mean predicted over mean observed: above 1 the model promises too much.

    Args:
      labels: [N], 0 or 1.
      probabilities: [N], in [0, 1].

    Returns:
      The ratio; nan when there is no positive row.
    """
    labels, probabilities = _checked(labels, probabilities)
    positives = int(labels.sum())
    return float(probabilities.sum() / positives) if positives else float("nan")


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ValueError(
            f"labels and probabilities must be of one shape [N], not {labels.shape} and {probabilities.shape}"
        )
    if labels.dtype != np.bool_ and ((labels != 0) & (labels != 1)).any():
        raise ValueError(f"labels must be 0 or 1, not {labels[(labels != 0) & (labels != 1)][0]}")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        outside = probabilities[~((probabilities >= 0) & (probabilities <= 1))]
        raise ValueError(
            f"probabilities must lie in [0, 1]; {len(outside)} of {len(probabilities)} do not, one is {outside[0]}"
        )
    return labels.astype(bool), probabilities
