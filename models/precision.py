"""Products of a training step in bfloat16, where the processor has instructions for them."""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Literal

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["float32", "bfloat16"]

_products: contextvars.ContextVar[Precision] = contextvars.ContextVar("products", default="float32")
_REWRITER = "auto_mixed_precision_onednn_bfloat16"


@contextlib.contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Lets what is traced and run inside compute its matrix products in a precision.

    With bfloat16, TensorFlow's graph optimizer casts what goes into the products of layers. It does not reach what XLA
    compiles; there, `matmul` is told by `of_products`. Sums are kept in float32 by the processor; variables,
    losses, gradients between layers and the optimizer stay float32. What runs outside, such as validation, and what is
    exported is not touched.
    """
    token = _products.set(precision)
    before = tf.config.optimizer.get_experimental_options().get(_REWRITER, False)
    tf.config.optimizer.set_experimental_options({_REWRITER: precision == "bfloat16"})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_REWRITER: before})
        _products.reset(token)


def of_products() -> Precision:
    """Returns the precision that `products_in` asks for here."""
    return _products.get()


def matmul(
    a: tf.Tensor, b: tf.Tensor, precision: Precision, transpose_a: bool = False, transpose_b: bool = False
) -> tf.Tensor:
    """Multiplies two matrices in a precision; the result has their dtype."""
    if precision == "float32":
        return tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    short = [tf.cast(x, tf.bfloat16) for x in (a, b)]
    return tf.cast(tf.matmul(*short, transpose_a=transpose_a, transpose_b=transpose_b), a.dtype)
