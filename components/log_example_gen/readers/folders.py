"""Columns that the folders of a file tell in the way of Hive: `day=7/hour=12/part-0.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def told_by_folders(file: SourceFile, spec: Files) -> dict[str, str]:
    """Returns the columns that the folders of a file tell, by their names after the renaming."""
    parts = (part.partition("=") for part in file.name.split("/")[:-1])
    told = {unquote(name): unquote(value) for name, equals, value in parts if equals and name}
    return {spec.rename.get(name, name): "" if value == _NO_VALUE else value for name, value in told.items()}
