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
    """The system: a backbone, with or without further objectives. `tandem models` lists them."""

    embedding_dim: int = Field(default=8, ge=1)
    """Length of every embedding; a feature may have another one."""

    cross_layers: int = Field(default=0, ge=0)
    """DCN-v2 cross layers over the concatenated embeddings, before the backbone; 0: none."""

    tower_layers: LayerSizes = (64, 32, 16)
    """Hidden layers of each task's tower; one logit follows."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a tower's hidden units left out in training."""

    embedding_l2: float = Field(default=0.0, ge=0)
    """Weight of the squared norms of a batch's embeddings, summed over features, averaged over rows."""

    backbone: dict[str, Any] = Field(default_factory=dict)
    """Settings of the recipe's backbone."""

    objectives: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the recipe's training-only objectives, by name; for example `{pico: {beta: 0.02}}`."""

    balancer: dict[str, Any] = Field(default_factory=dict)
    """Settings of how the losses are added up, where the recipe's way has any; for example `{learned: false}`."""

    steps: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of the stages of training, by name, where the recipe's have any; for example `{meta: {share: 0.3}}`."""


class EarlyStopping(Settings):
    """Stops when the validation loss has not improved for `patience` epochs, and goes back to the best weights."""

    patience: int = Field(default=1, ge=0)
    """Epochs without improvement that are tolerated."""

    task: str | None = None
    """The task whose loss counts. None: the weighted sum over the tasks."""


class TrainingSettings(Settings):
    """How the model is trained."""

    epochs: int = Field(default=1, ge=1)
    """Passes over the training split; the most, with early stopping."""

    max_steps: int | None = Field(default=None, ge=1)
    """Stops after so many steps, whatever `epochs` says."""

    batch_size: int = Field(default=1024, ge=2)
    """Rows per step."""

    optimizer: Literal["lazy_adam", "adam", "adagrad", "sgd"] = "lazy_adam"
    """`lazy_adam` updates the embeddings of a batch's rows only; `adam` decays the moments of all rows at every step,
    which costs the more the larger the table is. `adagrad` and `sgd` are Keras' own.
    """

    learning_rate: float = Field(default=5e-4, gt=0)
    """How far a step of the optimizer goes."""

    learning_rate_schedule: Literal["constant", "linear"] = "constant"
    """`constant`, or `linear`: the rate falls to 0 over all steps, so that the last batches seen do not decide where
    the weights end.
    """

    early_stopping: EarlyStopping | None = None
    """When to stop before `epochs` are over. Needs a `validation` part in `logs.split`: the evaluation must not choose
    the model.
    """

    shuffle_rows: int = Field(default=200_000, ge=1)
    """Rows that are put in random order together; two such windows are held in memory."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """`float32` or `bfloat16`, of the matrix products in a step. `bfloat16` pays where the processor has instructions
    for it (AVX512-BF16, AMX); variables, validation and the exported model stay float32. Not with `xla`.
    """

    xla: bool = False
    """Whether the whole dense part of a step is compiled by XLA. It takes seconds at the start, and pays on some
    processors only; what pays on all (PICO's contrast) is compiled in any case. Not with `precision: bfloat16`.
    """

    distribution: Distribution = "none"
    """`none`: one process, one device; `mirrored`: all GPUs of the machine; `multi_worker`: several processes, those
    that the environment variable TF_CONFIG names, or without it `workers` on this machine.
    """

    workers: int = Field(default=2, ge=1)
    """Number of processes, for `multi_worker` on one machine."""

    seed: int = 1
    """Of the random numbers: of the weights and of the order of the rows."""

    checkpoint_minutes: float = Field(default=5.0, ge=0)
    """Minutes from one checkpoint to the next; one more is made when training ends. Interrupted, the next run with the
    same settings, code and examples goes on from the last one and reaches the same weights. Removed when the model is
    exported. 0: none.
    """

    @model_validator(mode="after")
    def _one_compiler(self) -> TrainingSettings:
        if self.xla and self.precision == "bfloat16":
            raise ValueError("precision 'bfloat16' needs xla: false, since XLA would compute in float32 all the same")
        return self
