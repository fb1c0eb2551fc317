"""The truth as the file `truth/summary.json`."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from tandem.pipeline.sample_logs.files import write_json
from tandem.pipeline.sample_logs.truth import Reachable, SampleTruth, StreamCounts

_RANKINGS = ("best", "eval_best")


def write_summary(folder: Path, truth: SampleTruth) -> None:
    """Writes the truth below the folder; a NaN becomes null."""
    content = dataclasses.asdict(truth)
    del content["reused"]  # about the call, not about the logs
    for name in _RANKINGS:
        content[name] = {
            output: {key: None if math.isnan(value) else value for key, value in reachable.items()}
            for output, reachable in content[name].items()
        }
    write_json(_path(folder), content)


def read_summary(folder: Path) -> SampleTruth:
    """Reads what `write_summary` wrote."""
    content = json.loads(_path(folder).read_text())
    content["streams"] = {name: StreamCounts(**counts) for name, counts in content["streams"].items()}
    for name in _RANKINGS:
        content[name] = {
            output: Reachable(_or_nan(reachable["auc"]), _or_nan(reachable["gauc"]), reachable["users"])
            for output, reachable in content[name].items()
        }
    return SampleTruth(**content)


def _path(folder: Path) -> Path:
    return folder / "truth" / "summary.json"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
