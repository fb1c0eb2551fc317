"""Which columns the files of a source have, and whether those that the settings name are among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.components.log_example_gen.readers.registry import (
    mentioned,
    names_in,
    read_columns,
    reader_of,
    why_missing,
)
from tandem.components.log_example_gen.sources import LogsError, filesystem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

_PEEKED_FILES = 16


def columns_offered(spec: Files, files: Sequence[SourceFile], data_dir: str) -> tuple[str, ...]:
    """Returns the columns of a source: of its first file, or (where a row may lack some) of several."""
    system, _ = filesystem(data_dir)
    names: dict[str, None] = {}
    for file in files[:_PEEKED_FILES]:
        names.update(dict.fromkeys(read_columns(system, file, spec)))
        if not reader_of(file.name, spec).sparse:
            break
    return tuple(names)


def late_columns(columns: Collection[str], spec: Files, files: Sequence[SourceFile], data_dir: str) -> tuple[str, ...]:
    """Returns those of some columns that rows of a source have only later than `columns_offered` looks.

    Only formats whose rows may lack columns have such; of these all files are searched until all columns are found.
    """
    system, _ = filesystem(data_dir)
    found: set[str] = set()
    for file in files:
        if found == set(columns):
            break
        found |= mentioned(system, file, spec, set(columns) - found)
    return tuple(name for name in columns if name in found)


def check_columns(
    source: str,
    columns: Sequence[str],
    spec: Files,
    files: Sequence[SourceFile],
    offered: Sequence[str],
    data_dir: str,
) -> None:
    """Looks for columns in every file before the first is read (where a row may lack some: in all files together).

    Args:
      source: How errors call the source.
      columns: The columns that are read of it.
      spec: How its files are read.
      files: Its files.
      offered: Its columns, from `columns_offered`.
      data_dir: The folder that the files were looked for in.

    Raises:
      LogsError: A column that a file (or all) lacks, or of a name that is taken.
    """
    own = [name for name in columns if name.startswith("__")]
    if own:
        raise LogsError(f"{source}: column names that begin with two underscores are taken: {own}; rename them")
    system, _ = filesystem(data_dir)
    for index, file in enumerate(files):
        sparse = reader_of(file.name, spec).sparse
        names = offered if sparse or index == 0 else read_columns(system, file, spec)
        missing = [name for name in columns if name not in names]
        if missing and sparse:
            late = late_columns(missing, spec, files, data_dir)
            missing = [name for name in missing if name not in late]
        if missing:
            raise LogsError(
                f"{source}: column {', '.join(map(repr, missing))} is missing in {file.name}; "
                f"the columns are {', '.join(map(repr, names))}{why_missing(missing, names, file, spec)}"
            )
        if sparse:
            break


def check_names_given(
    source: str, spec: Files, files: Sequence[SourceFile], offered: Sequence[str], data_dir: str
) -> None:
    """Looks whether the columns that `rename` and `null_values` speak of are there.

    Raises:
      LogsError: One that no file has.
    """
    system, _ = filesystem(data_dir)
    unknown = list(spec.rename)
    first: tuple[str, ...] = ()
    for file in files:
        if not unknown:
            break
        names = names_in(system, file, spec)
        first = first or names
        unknown = [name for name in unknown if name not in names]
    if unknown and reader_of(files[0].name, spec).sparse:
        as_they_are = spec.model_copy(update={"rename": {}})
        unknown = [name for name in unknown if name not in late_columns(unknown, as_they_are, files, data_dir)]
    if unknown:
        raise _no_such(source, "rename", unknown, first, files[0], spec)
    of = spec.null_values if isinstance(spec.null_values, dict) else {}
    unknown = [name for name in of if name not in offered]
    if unknown and len(late_columns(unknown, spec, files, data_dir)) < len(unknown):
        raise _no_such(source, "null_values", unknown, offered, files[0], spec)


def _no_such(
    source: str, setting: str, unknown: Sequence[str], names: Sequence[str], file: SourceFile, spec: Files
) -> LogsError:
    return LogsError(
        f"{source}: '{setting}' speaks of {', '.join(map(repr, unknown))}, which no file has; "
        f"the columns are {', '.join(map(repr, names))}{why_missing(unknown, names, file, spec)}"
    )
