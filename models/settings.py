"""The `model:` and `training:` sections of a configuration file. Reading them imports no TensorFlow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

Distribution = Literal["none", "mirrored", "multi_worker"]
LayerSizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class ModelSettings(BaseModel, extra="forbid", frozen=True):
    """Which system is trained, and its sizes.

    Attributes:
      recipe: A name from `tandem models`.
      embedding_dim: Length of every feature's embedding.
      cross_layers: DCN-v2 cross layers over the concatenated embeddings, before the backbone; 0: none.
      tower_layers: Hidden layers of each task's tower; one logit follows.
      dropout: Share of a tower's hidden units left out in training.
      embedding_l2: Weight of the squared norms of a batch's embeddings, summed over features, averaged over rows.
      backbone: Settings of the recipe's backbone, checked against its class.
      objectives: Settings of the recipe's training-only objectives, by objective name.
      balancer: Settings of how the losses are added up, where the recipe's way has any.
      steps: Settings of the stages of training, by stage name, where the recipe's have any.
    """

    recipe: str = "shared_bottom"
    embedding_dim: int = Field(default=8, ge=1)
    cross_layers: int = Field(default=0, ge=0)
    tower_layers: LayerSizes = (64, 32, 16)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    embedding_l2: float = Field(default=0.0, ge=0)
    backbone: dict[str, Any] = {}
    objectives: dict[str, dict[str, Any]] = {}
    balancer: dict[str, Any] = {}
    steps: dict[str, dict[str, Any]] = {}


class EarlyStopping(BaseModel, extra="forbid", frozen=True):
    """Stops when the validation loss has not improved for `patience` epochs, and goes back to the best weights.

    Attributes:
      task: The task whose loss counts; None: the sum over the tasks.
    """

    patience: int = Field(default=1, ge=0)
    task: str | None = None


class TrainingSettings(BaseModel, extra="forbid", frozen=True):
    """How the model is trained.

    Attributes:
      epochs: Passes over the training split (the most, with early stopping).
      max_steps: Stops after so many steps, whatever `epochs` says.
      batch_size: Rows per step.
      optimizer: `lazy_adam` updates the embeddings of a batch's rows only; `adam` decays the moments of all of them at
        every step, which costs the more the larger the table is. `adagrad` and `sgd` are Keras' own.
      learning_rate: Of the optimizer.
      learning_rate_schedule: `constant`, or `linear`: falling to 0 over all steps, so that the last batches seen do not
        decide where the weights end.
      early_stopping: Needs a `validation` part in the split.
      shuffle_rows: Size of the shuffle buffer, in rows.
      precision: Of the matrix products in a step. `bfloat16` pays where the processor has instructions for it
        (AVX512-BF16, AMX); variables, validation and the exported model stay float32.
      xla: Whether the whole dense part of a step is compiled by XLA. It takes seconds at the start, and pays on some
        processors only; what pays on all (PICO's contrast) is compiled in any case. Not with `bfloat16`.
      distribution: `none`: one process, one device; `mirrored`: all GPUs of the machine; `multi_worker`: several
        processes, those that the environment variable TF_CONFIG names, or without it `workers` on this machine.
      workers: For `multi_worker` on one machine.
      seed: Of the weights and of the order of the rows.
      checkpoint_minutes: From one checkpoint to the next; one more is made at the end. 0: none at all.
    """

    epochs: int = Field(default=1, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=1024, ge=2)
    optimizer: Literal["lazy_adam", "adam", "adagrad", "sgd"] = "lazy_adam"
    learning_rate: float = Field(default=5e-4, gt=0)
    learning_rate_schedule: Literal["constant", "linear"] = "constant"
    early_stopping: EarlyStopping | None = None
    shuffle_rows: int = Field(default=200_000, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    xla: bool = False
    distribution: Distribution = "none"
    workers: int = Field(default=2, ge=1)
    seed: int = 1
    checkpoint_minutes: float = Field(default=5.0, ge=0)

    @model_validator(mode="after")
    def _one_compiler(self) -> TrainingSettings:
        if self.xla and self.precision == "bfloat16":
            raise ValueError("precision 'bfloat16' needs xla: false, since XLA would compute in float32 all the same")
        return self
