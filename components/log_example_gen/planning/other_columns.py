"""The columns of the logs that are left when all that other settings name is taken away: `name: "*"` of a feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.components.log_example_gen.planning.making import all_files
from tandem.components.log_example_gen.planning.offered import columns_offered
from tandem.components.log_example_gen.records import IMPRESSIONS, TABLE

if TYPE_CHECKING:
    from collections.abc import Collection

    from tandem.components.log_example_gen.settings.logs import LogSettings


def other_columns(logs: LogSettings, data_dir: str, named: Collection[str]) -> tuple[str, ...]:
    """Reads the headers of the impressions or the table and of the side tables.

    Keys that repeat (of side tables, of the last touch) are among the columns: a user or an item is a feature. What
    names one impression is not.

    Args:
      logs: The settings.
      data_dir: The folder or URI of the logs.
      named: Columns that other settings name: labels, weights, other features.

    Returns:
      The columns in their order, each once.

    Raises:
      LogsError: Files are not there, or cannot be read.
    """
    files = all_files(logs, data_dir)
    main = (TABLE, logs.table) if logs.table is not None else (IMPRESSIONS, logs.impressions)
    found: dict[str, None] = {}
    for name, spec in (main, *((side.name, side) for side in logs.side_tables)):
        if spec is not None:
            found |= dict.fromkeys(columns_offered(spec, files[name], data_dir))
    taken = {*named, *_taken(logs)}
    return tuple(name for name in found if name not in taken)


def _taken(logs: LogSettings) -> set[str]:
    """Returns the columns that the settings of the logs name for something else than features."""
    main = logs.table or logs.impressions
    taken = {*logs.post_impression}
    if logs.split.column is not None:
        taken.add(logs.split.column)
    for spec in (main, *logs.side_tables):
        taken.update(spec.where if spec is not None else ())
    if main is not None and main.time is not None:
        taken.update(main.time.column)
    if main is not None and main.weight is not None:
        taken.add(main.weight)
    if logs.table is not None:
        taken.update(label.column for label in logs.table.labels.values() if label.column is not None)
    if logs.clicks is not None:
        taken.add(logs.clicks.label)
    if logs.conversions is not None and logs.conversions.event is not None:
        taken.add(logs.conversions.event)
    if logs.join is not None and logs.join.attribution == "impression_id":
        taken.update(logs.join.on)
    return taken
