"""A small world to evaluate: examples with known labels, models that read their answers from the examples."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from tandem.models.tasks import Task, TaskGraph

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class World:
    """[N] arrays; `city` is 0 where missing, `tags` a list of lists, `row_weight` and `buy_weight` multiples of 1/4."""

    user: np.ndarray
    city: np.ndarray
    device: np.ndarray
    tags: list[list[str]]
    x: np.ndarray
    click: np.ndarray
    buy: np.ndarray
    buy_is_final: np.ndarray
    row_weight: np.ndarray
    buy_weight: np.ndarray

    def examples(self) -> list[bytes]:
        return [
            _example(
                user_id=[f"u{self.user[row]}".encode()],
                city=[int(self.city[row])] if self.city[row] else None,
                device=[str(self.device[row]).encode()],
                tags=[tag.encode() for tag in self.tags[row]] or None,
                x=[float(self.x[row])],
                click=[int(self.click[row])],
                buy=[int(self.buy[row])],
                buy_is_final=[int(self.buy_is_final[row])],
                row_weight=[float(self.row_weight[row])],
                buy_weight=[float(self.buy_weight[row])],
            )
            for row in range(len(self.x))
        ]

    def answers(self, slope: float, offset: float = 0.0) -> dict[str, np.ndarray]:
        """What `model(slope, offset)` says, in float32 as it does."""
        x = self.x.astype(np.float32)
        click = _sigmoid(np.float32(slope) * x + np.float32(offset))
        buy = _sigmoid(np.float32(0.5) * x - np.float32(0.5))
        return {"click": click, "buy_given_click": buy, "click_and_buy": click * buy}


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return tf.sigmoid(values).numpy()


def _example(**columns: list[bytes] | list[int] | list[float] | None) -> bytes:
    example = tf.train.Example()
    for name, values in columns.items():
        if values is None:
            continue
        if isinstance(values[0], bytes):
            example.features.feature[name].bytes_list.value.extend(values)
        elif isinstance(values[0], int):
            example.features.feature[name].int64_list.value.extend(values)
        else:
            example.features.feature[name].float_list.value.extend(values)
    return example.SerializeToString()


class _Logistic(tf.Module):
    """Answers logistic functions of the column `x`, so that equal values of it tie."""

    def __init__(
        self, slope: float, offset: float, outputs: tuple[str, ...], column: bool, scale: float, tablet_noise: float
    ) -> None:
        super().__init__()
        self._slope, self._offset, self._scale = tf.Variable(slope), tf.Variable(offset), tf.Variable(scale)
        self._tablet_noise = tf.Variable(tablet_noise)
        self._outputs, self._column = outputs, column

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = {"x": tf.io.FixedLenFeature([], tf.float32), "device": tf.io.FixedLenFeature([], tf.string)}
        parsed = tf.io.parse_example(examples, columns)
        x = parsed["x"]
        noise = self._tablet_noise * tf.cast(parsed["device"] == "tablet", tf.float32) * tf.sin(97 * x)
        click = self._scale * tf.sigmoid(self._slope * x + self._offset + noise)
        buy = tf.sigmoid(0.5 * x - 0.5)
        answers = {"click": click, "buy_given_click": buy, "click_and_buy": click * buy}
        if "fails" in self._outputs:
            with tf.control_dependencies([tf.debugging.Assert(tf.reduce_any(x > 1e9), ["nothing to parse"])]):
                answers["fails"] = tf.identity(click)
        return {name: answers[name][:, None] if self._column else answers[name] for name in self._outputs}


@pytest.fixture(scope="session")
def graph() -> TaskGraph:
    return TaskGraph([Task(name="click"), Task(name="buy", given="click")])


@pytest.fixture(scope="session")
def world() -> World:
    """600 rows, 40 users; city 3 has no click, city 0 is missing, a row has 0 to 2 tags."""
    rng = np.random.default_rng(7)
    rows = 600
    city = rng.integers(0, 4, rows)
    x = np.round(rng.normal(size=rows), 1)
    click = (rng.random(rows) < 1 / (1 + np.exp(-x))) & (city != 3)
    buy = click & (rng.random(rows) < 1 / (1 + np.exp(0.5 - x)))
    tags = [sorted({f"t{tag}" for tag in rng.integers(0, 3, count)}) for count in rng.integers(0, 3, rows)]
    device = rng.choice(["phone", "tablet"], rows)
    user = rng.integers(0, 40, rows)
    final = rng.random(rows) < 0.7
    row_weight, buy_weight = rng.choice([0, 0.25, 1, 2], rows), rng.choice([0.5, 1, 3], rows)
    return World(user, city, device, tags, x, click.astype(int), buy.astype(int), final, row_weight, buy_weight)


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., standard_artifacts.Model]:
    """Makes model artifacts: `saved_model(slope, offset=0.0, outputs=..., column=False, scale=1.0, tablet_noise=0.0)`.

    `scale` multiplies the probability of a click, which leaves every AUC as it is; `tablet_noise` disturbs the order of
    the rows on tablets, and of no others.
    """
    made: dict[tuple, str] = {}

    def make(
        slope: float,
        offset: float = 0.0,
        outputs: tuple[str, ...] = ("click", "buy_given_click", "click_and_buy"),
        column: bool = False,
        scale: float = 1.0,
        tablet_noise: float = 0.0,
    ) -> standard_artifacts.Model:
        key = (slope, offset, outputs, column, scale, tablet_noise)
        if key not in made:
            made[key] = str(tmp_path_factory.mktemp("model"))
            module = _Logistic(*key)
            path = f"{made[key]}/Format-Serving"
            tf.saved_model.save(module, path, signatures={"serving_default": module.serve})
        model = standard_artifacts.Model()
        model.uri, model.id = made[key], len(made)
        # Without it, TFX looks for the folders of its old releases.
        model.set_string_custom_property("tfx_version", "1.16.0")
        return model

    return make


@pytest.fixture(scope="session")
def write_examples(tmp_path_factory: pytest.TempPathFactory) -> Callable[[World], standard_artifacts.Examples]:
    def write(world: World) -> standard_artifacts.Examples:
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path_factory.mktemp("examples"))
        examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
        (pathlib.Path(examples.uri) / "Split-eval").mkdir()
        rows = world.examples()
        for part in range(2):
            path = f"{examples.uri}/Split-eval/examples-0000{part}-of-00002.gz"
            with tf.io.TFRecordWriter(path, "GZIP") as writer:
                for row in rows[part::2]:
                    writer.write(row)
        return examples

    return write
