"""Adam that touches only the rows of the batch.

Keras' SGD without momentum and its Adagrad already do so where gradients are sparse, and with the same result as where
they are dense, for a row without a gradient does not change. They need no counterpart here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import tensorflow as tf
import tf_keras as keras

if TYPE_CHECKING:
    from collections.abc import Sequence

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices

# What Keras' Adam can do besides, and the value that stands for not doing it (it comes with every configuration). Each
# would write every row at every step, or is not in the kernel.
_NOT_SUPPORTED = {"amsgrad": False, "adaptive_epsilon": False, "weight_decay": None, "use_ema": False}


class DistinctRows(tf.IndexedSlices):
    """The gradient of some rows of a table, each row named once; made so where a batch's rows are looked up."""

    def __init__(self, values: tf.Tensor, indices: tf.Tensor):
        super().__init__(values, indices)


@keras.saving.register_keras_serializable(package="tandem")
class LazyAdam(keras.optimizers.Adam):
    """Adam (Kingma and Ba, ICLR 2015) whose step costs what the batch costs, not what the embedding table costs.

    With g the gradient and t the number of the step, counted from 1, the same for all variables and rows:

        m <- m + (1 - beta_1) (g - m)
        v <- v + (1 - beta_2) (g^2 - v)
        x <- x - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    A variable with a dense gradient gets all three at every step: there this is Adam, in TensorFlow's kernel for it,
    and agrees with Keras' up to rounding. A variable with a sparse gradient (`tf.IndexedSlices`, which `tf.gather`
    sends to a table) gets them in the rows that the batch names, the gradients of a row that is named several times
    summed first. In all other rows x, m and v stay what they are, to the bit.

    Dense Adam (and Keras' Adam with sparse gradients, which is the same) takes those other rows to have g = 0: it
    multiplies their m by beta_1 and their v by beta_2, and moves their x on by what is left of m. Hence:

    - In a table of which every row is in every batch there is no difference, nor in a row up to and with the first step
      that it is in.
    - A row that is away does not drift on, and when it comes back m and v are means over its last visits, where dense
      Adam has means over the last steps, most of them 0. With the same g at every k-th step a row moves in the long run
      by the learning rate per visit, under dense Adam by sqrt(k) times as much (until k nears 1 / (1 - beta_2)).
    - The factor in front of m corrects for t mixed-in gradients although a rare row has mixed in fewer. At a late step
      a row's n-th visit with the same g moves it by (1 - beta_1^n) / sqrt(1 - beta_2^n) learning rates: with the
      default betas 3.2 at the first (dense Adam: the same), at most 6.6 at the twelfth, 1 after some thousands.

    This is the rule of LazyAdam in TensorFlow Addons. The slots are those of Keras' Adam: either can go on from the
    other's checkpoint.

    Args:
      learning_rate: A number or a schedule.
      beta_1: Decay of the gradient's running mean.
      beta_2: Decay of the squared gradient's running mean.
      epsilon: Keeps the divisor from 0 (the paper's "epsilon hat").
      name: Of the optimizer.
      jit_compile: Whether Keras compiles each variable's update on its own. It gains nothing, the kernels being there
        already, and with sparse gradients compiles anew for every number of rows. A training step that is itself
        compiled needs no `jit_compile` here.
      **kwargs: `clipnorm`, `global_clipnorm` and `clipvalue` as in Keras' optimizers, but a row's gradients are summed
        before anything is clipped.

    Raises:
      ValueError: An option of Keras' Adam that would touch every row.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "LazyAdam",
        jit_compile: bool = False,
        **kwargs: Any,
    ):
        for option, neutral in _NOT_SUPPORTED.items():
            received = kwargs.get(option, neutral)
            if received != neutral:
                raise ValueError(f"LazyAdam has no {option}: received {received!r}, allowed is {neutral!r}")
        super().__init__(
            learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, name=name, jit_compile=jit_compile, **kwargs
        )

    def _deduplicate_sparse_grad(self, grads: Sequence[Gradient]) -> Sequence[Gradient]:
        """Sums up rows that are named several times, where that has not been done."""
        return [
            gradient
            if isinstance(gradient, DistinctRows)
            else super(LazyAdam, self)._deduplicate_sparse_grad([gradient])[0]
            for gradient in grads
        ]

    def _clip_gradients(self, grads: Sequence[Gradient]) -> Sequence[Gradient]:
        if self.clipnorm or self.global_clipnorm or self.clipvalue:
            grads = self._deduplicate_sparse_grad(grads)  # Keras does so after clipping, which gives other norms.
        clipped: Sequence[Gradient] = super()._clip_gradients(grads)
        return clipped

    def update_step(self, gradient: Gradient, variable: tf.Variable) -> None:
        """Updates one variable and its moments.

        Args:
          gradient: Of the variable's shape, or slices of it whose rows are all different, as `apply_gradients` makes
            them.
          variable: What is trained.
        """
        step = tf.cast(self.iterations + 1, variable.dtype)
        rate = tf.cast(self.learning_rate, variable.dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, variable.dtype), tf.cast(self.beta_2, variable.dtype)
        index = self._index_dict[self._var_key(variable)]
        mean, square = self._momentums[index], self._velocities[index]
        if not isinstance(gradient, tf.IndexedSlices):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=beta_1**step,
                beta2_power=beta_2**step,
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=tf.cast(self.epsilon, variable.dtype),
                grad=gradient,
            )
            return
        scale = rate * tf.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        rows, values = gradient.indices, gradient.values
        m, v = tf.gather(mean, rows), tf.gather(square, rows)
        m += (1 - beta_1) * (values - m)
        v += (1 - beta_2) * (values * values - v)
        mean.scatter_update(tf.IndexedSlices(m, rows))
        square.scatter_update(tf.IndexedSlices(v, rows))
        # Gathered and written back, in kernels that copy rows; the one that subtracts goes element by element.
        moved = tf.gather(variable, rows) - scale * m / (tf.sqrt(v) + self.epsilon)
        variable.scatter_update(tf.IndexedSlices(moved, rows))
