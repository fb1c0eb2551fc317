"""Runs the step as TFX would, and reads back what it wrote."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts
from tfx.types.experimental import simple_artifacts

from tandem.components.log_example_gen.executor import Executor

if TYPE_CHECKING:
    from tandem.components.log_example_gen.component import LogExampleGen


class Outputs:
    """What a run of the step wrote."""

    def __init__(self, root: Path):
        self.root = root
        self.examples, self.quarantine = standard_artifacts.Examples(), simple_artifacts.Dataset()
        self.examples.uri = str(root / "LogExampleGen" / "examples" / "1")
        self.quarantine.uri = str(root / "LogExampleGen" / "quarantine" / "1")

    def files(self, split: str) -> list[Path]:
        return sorted(Path(self.examples.uri, f"Split-{split}").iterdir())

    def records(self, split: str) -> list[bytes]:
        """All examples in the order in which they are read."""
        return [record for path in self.files(split) for record in records(path)]

    def rows(self, split: str) -> list[dict[str, list[Any]]]:
        """The same, by column; a column that an example lacks is not in it."""
        return [parsed(record) for record in self.records(split)]

    def counts(self) -> dict[str, Any]:
        return json.loads(Path(self.quarantine.uri, "counts.json").read_text())

    def set_aside(self) -> dict[str, list[dict[str, Any]]]:
        """By source and reason, the rows of the quarantine."""
        found: dict[str, list[dict[str, Any]]] = {}
        for path in sorted(Path(self.quarantine.uri).glob("*/*.jsonl.gz")):
            rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
            found.setdefault(f"{path.parent.name}/{path.name.rpartition('-')[0]}", []).extend(rows)
        return found


def records(path: Path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator())


def parsed(record: bytes) -> dict[str, list[Any]]:
    features = tf.train.Example.FromString(record).features.feature
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value) if feature.WhichOneof("kind") else []
        for name, feature in features.items()
    }


@pytest.fixture
def run_step(tmp_path: Path) -> Any:
    """Runs a component's executor; the outputs of several runs lie in folders of their own."""

    def run_step(component: LogExampleGen, name: str = "out") -> Outputs:
        outputs = Outputs(tmp_path / name)
        Executor().Do(
            {},
            {"examples": [outputs.examples], "quarantine": [outputs.quarantine]},
            dict(component.exec_properties),
        )
        return outputs

    return run_step
