"""Times as numbers and in words."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tandem.components.log_example_gen.settings.split import Period

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def microseconds(moment: datetime.datetime) -> int:
    """Returns a time as microseconds since 1970."""
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)


def describe_us(time_us: int) -> str:
    """Writes microseconds since 1970 as a date and time, UTC."""
    return str(_EPOCH + datetime.timedelta(microseconds=time_us))


def describe_period(period: Period) -> str:
    """Says in words what a period holds."""
    if period.files is not None:
        return f"files {', '.join(period.files)}"
    if period.share is not None:
        return f"share {period.share:g}"
    if period.values is not None:
        return f"values {', '.join(map(str, period.values))}"
    if period.rows is not None:
        return f"{period.rows.replace('_', ' ')} rows"
    parts = [f"from {period.start}"] if period.start else []
    return " ".join([*parts, *([f"before {period.end}"] if period.end else [])])
