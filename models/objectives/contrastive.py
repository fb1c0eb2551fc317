"""The contrastive loss between two representations of the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.precision import Precision, matmul

if TYPE_CHECKING:
    from collections.abc import Callable

# The exponential of 40 summed over 10^20 rows is still a float32, and the sum over any row is far from 0.
LARGEST_SAFE_LOGIT = 40.0


def info_nce(
    anchors: tf.Tensor,
    positives: tf.Tensor,
    temperature: tf.Tensor,
    largest_logit: float | None = None,
    precision: Precision = "float32",
) -> tf.Tensor:
    """InfoNCE with a temperature per row and the batch as negatives (PICO eq. 6 and 11).

      loss_x = log Z_x - s_xx,   s_xz = a_x . p_z / tau_x,   Z_x = sum_z exp(s_xz)

    where z runs over the whole batch, x included. With P_xz = exp(s_xz) / Z_x and g_x = (sum_z P_xz p_z - p_x) / tau_x
    the gradients are, for d_x the gradient of loss_x,

      by a_x:    d_x g_x
      by p_z:    sum_x d_x P_xz a_x / tau_x - d_z a_z / tau_z
      by tau_x:  -d_x a_x . g_x / tau_x

    They are written out here because automatic differentiation would go through the [B, B] matrix more often than
    needed: that matrix is what the loss costs. It is made once, as exp(s - c), and never divided by its sums.

    Args:
      anchors: a, [B, H].
      positives: p, [B, H].
      temperature: tau, [B], above 0.
      largest_logit: A bound of |s| where there is one, `LARGEST_SAFE_LOGIT` at most: then c = 0 is safe (exp stays in
        range, Z above 0), and the pass that looks for the largest s of every row is left out. None: c is that s.
      precision: Of the three products.

    Returns:
      The loss of every row, [B].

    Raises:
      ValueError: The bound is above that.
    """
    if largest_logit is not None and largest_logit > LARGEST_SAFE_LOGIT:
        raise ValueError(f"largest_logit: got {largest_logit}, allowed are {LARGEST_SAFE_LOGIT} at most")
    return _info_nce(anchors, positives, temperature, largest_logit is not None, precision)


def _info_nce(
    anchors: tf.Tensor, positives: tf.Tensor, temperature: tf.Tensor, bounded: bool, precision: Precision
) -> tf.Tensor:
    @tf.custom_gradient
    def loss(
        a: tf.Tensor, p: tf.Tensor, tau: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
        cold = a / tau[:, None]  # [B, H]
        logits = matmul(cold, p, precision, transpose_b=True)  # [B, B]
        highest = tf.zeros_like(tau) if bounded else tf.reduce_max(logits, axis=1)
        unscaled = tf.exp(logits if bounded else logits - highest[:, None])
        sums = tf.reduce_sum(unscaled, axis=1)
        losses = tf.math.log(sums) + highest - tf.reduce_sum(cold * p, axis=1)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            by_logit_row = (upstream / sums)[:, None]
            pulled = matmul(unscaled, p, precision) / sums[:, None] - p  # tau_x g_x
            by_a = (upstream / tau)[:, None] * pulled
            by_p = matmul(unscaled, by_logit_row * cold, precision, transpose_a=True) - upstream[:, None] * cold
            by_tau = -upstream / tau * tf.reduce_sum(cold * pulled, axis=1)
            return by_a, by_p, by_tau

        return losses, gradient

    return loss(anchors, positives, temperature)


def alignment(anchors: tf.Tensor, positives: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """Pulls the two representations of a row together, without negatives (PICO table 3): -a_x . p_x / tau_x.

    Args and result as in `info_nce`.
    """
    return -tf.reduce_sum(anchors * positives, axis=1) / temperature
