"""What is left to say of settings that were found sound, and the folders that a run writes to."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from tandem.pipeline.doctor.check import Check
from tandem.pipeline.local import output_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tandem.pipeline.configuration.config import Config

GIB = 2**30
MIN_DISK_GIB = 5.0


def recipe(config: Config) -> Iterator[Check]:
    """What will be built and when it is pushed: all that is left to say of settings that were found sound."""
    yield Check("ok", f"recipe '{config.model.recipe}' takes these settings")
    yield from thresholds(config)
    periods = config.logs.split.periods()
    if config.logs.label_delay and config.logs.split.kind == "time":
        delay = config.logs.label_delay.total_seconds() / 3600
        yield Check("ok", f"split: {', '.join(periods)}; at least {delay:g} hours (the windows) lie between the parts")
    else:
        yield Check("ok", f"split: {', '.join(periods)}")


def thresholds(config: Config) -> Iterator[Check]:
    """What a model has to keep, and whether the first one has to keep anything."""
    given = config.evaluation.thresholds
    yield Check(
        "ok", f"{len(given)} threshold{' decides' if len(given) == 1 else 's decide'} whether a model is pushed"
    )
    if all(threshold.kinds == ("not_worse_than_blessed_by",) for threshold in given):
        yield Check(
            "warn",
            "every threshold compares with the model pushed last, so the first model is pushed, however bad; "
            "give one of them 'at_least' or 'at_most'",
        )


def folders(config: Config) -> Iterator[Check]:
    """Whether a run can write what it writes, and has room for it."""
    for what, folder in (("output folder", config.output_dir), ("push folder", config.push_dir)):
        problem = write_problem(folder)
        yield Check("fail" if problem else "ok", f"{what} {folder}: {problem or 'can be written'}")
    for problem in (
        output_folder.name_problem(config.output_dir),
        output_folder.database_problem(config.output_dir),
    ):
        if problem:
            yield Check("fail", problem)
    free = shutil.disk_usage(existing(config.output_dir)).free / GIB
    enough = free >= MIN_DISK_GIB
    yield Check(
        "ok" if enough else "warn",
        f"{free:.0f} GiB are free for the output" + ("" if enough else f"; {MIN_DISK_GIB:.0f} are advised"),
    )


def existing(folder: Path) -> Path:
    """Returns the nearest folder above that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def write_problem(folder: Path) -> str:
    """Returns why nothing can be written into a folder (or made where it will be); empty if it can."""
    place = existing(folder)
    if not place.is_dir():
        return f"{place} is a file"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"nothing can be written into {place}: {error.strerror}"
