"""The `model:` and `training:` sections of a configuration file. Reading them imports no TensorFlow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tandem.settings import Settings

Distribution = Literal["none", "mirrored", "multi_worker"]
LayerSizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class ModelSettings(Settings):
    """Which system is trained, and its sizes."""

    recipe: str = "shared_bottom"
    """A name from `tandem models`."""

    embedding_dim: int = Field(default=8, ge=1)
    """Length of every feature's embedding."""

    cross_layers: int = Field(default=0, ge=0)
    """DCN-v2 cross layers over the concatenated embeddings, before the backbone; 0: none."""

    tower_layers: LayerSizes = (64, 32, 16)
    """Hidden layers of each task's tower; one logit follows."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a tower's hidden units left out in training."""

    embedding_l2: float = Field(default=0.0, ge=0)
    """Weight of the squared norms of a batch's embeddings, summed over features, averaged over rows."""

    backbone: dict[str, Any] = Field(default_factory=dict)
    """Settings of the recipe's backbone, checked against its class."""

    objectives: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the recipe's training-only objectives, by objective name."""

    balancer: dict[str, Any] = Field(default_factory=dict)
    """Settings of how the losses are added up, where the recipe's way has any."""

    steps: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the stages of training, by stage name, where the recipe's have any."""


class EarlyStopping(Settings):
    """Stops when the validation loss has not improved for `patience` epochs, and goes back to the best weights."""

    patience: int = Field(default=1, ge=0)
    """Epochs without improvement that are tolerated."""

    task: str | None = None
    """The task whose loss counts; None: the sum over the tasks."""


class TrainingSettings(Settings):
    """How the model is trained."""

    epochs: int = Field(default=1, ge=1)
    """Passes over the training split (the most, with early stopping)."""

    max_steps: int | None = Field(default=None, ge=1)
    """Stops after so many steps, whatever `epochs` says."""

    batch_size: int = Field(default=1024, ge=2)
    """Rows per step."""

    optimizer: Literal["lazy_adam", "adam", "adagrad", "sgd"] = "lazy_adam"
    """`lazy_adam` updates the embeddings of a batch's rows only; `adam` decays the moments of all of them at every
    step, which costs the more the larger the table is. `adagrad` and `sgd` are Keras' own.
    """

    learning_rate: float = Field(default=5e-4, gt=0)
    """Of the optimizer."""

    learning_rate_schedule: Literal["constant", "linear"] = "constant"
    """`constant`, or `linear`: falling to 0 over all steps, so that the last batches seen do not decide where the
    weights end.
    """

    early_stopping: EarlyStopping | None = None
    """Needs a `validation` part in the split."""

    shuffle_rows: int = Field(default=200_000, ge=1)
    """Size of the shuffle buffer, in rows."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the matrix products in a step. `bfloat16` pays where the processor has instructions for it (AVX512-BF16, AMX);
    variables, validation and the exported model stay float32.
    """

    xla: bool = False
    """Whether the whole dense part of a step is compiled by XLA. It takes seconds at the start, and pays on some
    processors only; what pays on all (PICO's contrast) is compiled in any case. Not with `bfloat16`.
    """

    distribution: Distribution = "none"
    """`none`: one process, one device; `mirrored`: all GPUs of the machine; `multi_worker`: several processes, those
    that the environment variable TF_CONFIG names, or without it `workers` on this machine.
    """

    workers: int = Field(default=2, ge=1)
    """For `multi_worker` on one machine."""

    seed: int = 1
    """Of the weights and of the order of the rows."""

    checkpoint_minutes: float = Field(default=5.0, ge=0)
    """From one checkpoint to the next; one more is made at the end. 0: none at all."""

    @model_validator(mode="after")
    def _one_compiler(self) -> TrainingSettings:
        if self.xla and self.precision == "bfloat16":
            raise ValueError("precision 'bfloat16' needs xla: false, since XLA would compute in float32 all the same")
        return self
