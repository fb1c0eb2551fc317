"""Runs the ingestion of a configuration that comes with Tandem on small invented files of its data set's shape."""

from collections import Counter
from pathlib import Path

import pytest

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.executor import Executor
from tandem.pipeline.configuration.config import load
from tandem.pipeline.doctor import logs


class Ingested:
    """The examples, by split: a dictionary of columns each, a value as it is and several as a list."""

    def __init__(self, config, folder):
        self.config = config
        self.splits = {split: _rows(folder / f"Split-{split}") for split in config.logs.split.periods()}

    def table(self, split, *columns):
        """How often each combination of values comes in the examples of a split; None where there is no value."""
        return Counter(tuple(row.get(name) for name in columns) for row in self.splits[split])


def _rows(folder):
    import tensorflow as tf

    files = sorted(map(str, folder.iterdir()))
    rows = []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        values = {
            name: list(getattr(f, f.WhichOneof("kind")).value) for name, f in features.items() if f.WhichOneof("kind")
        }
        rows.append({name: _plain(some) for name, some in values.items() if some})
    return rows


def _plain(values):
    values = [value.decode() if isinstance(value, bytes) else value for value in values]
    return values[0] if len(values) == 1 else values


@pytest.fixture
def data(tmp_path) -> Path:
    """The folder of the logs."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def ingest(tmp_path, data, monkeypatch):
    """Loads a configuration by its name, looks at it and the logs as `tandem doctor` does, and runs the ingestion."""
    from tfx.types import standard_artifacts
    from tfx.types.experimental import simple_artifacts

    monkeypatch.delenv("TANDEM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(name, *overrides):
        config = load(name, str(data), overrides)
        assert [check.text for check in logs.logs(config) if check.status == "fail"] == []
        examples, quarantine = standard_artifacts.Examples(), simple_artifacts.Dataset()
        examples.uri, quarantine.uri = str(tmp_path / "examples"), str(tmp_path / "quarantine")
        component = LogExampleGen(
            logs=config.logs, columns=config.columns(), labels=config.labels(), data_dir=config.data_folder
        )
        outputs = {"examples": [examples], "quarantine": [quarantine]}
        Executor().Do({}, outputs, dict(component.exec_properties))
        return Ingested(config, Path(examples.uri))

    return run
