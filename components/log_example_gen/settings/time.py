"""Where a row says when something happened, and how that is read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tandem.components.log_example_gen.settings.written import Names, UtcTime
from tandem.components.log_example_gen.time_formats import check_format, check_timezone
from tandem.settings import Settings


class TimeColumn(Settings):
    """Where it stands when an event happened, and how that is read: by `unit` or by `format`."""

    column: Names = Field(min_length=1, max_length=2)
    """The column, by its name after `rename`; or two of them, whose texts are read as one with a space between (a date
    and a time of day), or which are a date and the time since then (see `offset`).
    """

    unit: Literal["s", "ms", "us", "ns", "iso8601"] | None = None
    """`s`, `ms`, `us`, `ns`: seconds, milliseconds, microseconds or nanoseconds since 1970 (UTC), fractions allowed;
    `iso8601`: texts such as 2024-03-11T06:00:00+01:00, 2024-03-11 6:00 or 20240311T060000Z.
    """

    format: str | None = None
    """Instead of `unit`: a pattern of Python's `strptime`, such as `%Y/%m/%d %H:%M`, or a word for one: `apache`
    (14/Nov/2023:22:13:00 +0000), `rfc2822` (Tue, 14 Nov 2023 22:13:00 +0000). Names of months and days are English.
    Where numbers stand side by side, only the first may lack its leading zero.
    """

    offset: Literal["s", "ms", "us", "ns"] | None = None
    """The second column is the time since the first one's, in this unit: `s`, `ms`, `us` or `ns`. None: both are one
    text.
    """

    year: int | None = Field(default=None, ge=1, le=9998)
    """The year of all times, where `format` names none."""

    timezone: str | None = None
    """The IANA name (Asia/Shanghai) of the zone of texts that name none themselves, and of hours and days in `derived`.
    None: UTC. Numbers since 1970 are UTC in any case. Dates of `split` are UTC unless they name a zone.
    """

    ambiguous: Literal["earlier", "later", "bad"] = "earlier"
    """What a time means that comes twice because the clock is set back: the `earlier` moment, the `later` one, or no
    time at all (`bad`).
    """

    missing: Literal["shift", "bad"] = "shift"
    """What a time means that the clock leaves out: the moment as long after midnight as if it had not been set forward
    (`shift`: 02:30 becomes 03:30), or no time at all (`bad`).
    """

    origin: UtcTime | None = None
    """The moment that 0 stands for, where numbers do not count since 1970. Then any time of theirs is taken: without
    it, one before 1990 is bad, unless a part of `split` begins or ends there.
    """

    @model_validator(mode="after")
    def _readable(self) -> TimeColumn:
        if (self.unit is None) == (self.format is None):
            raise ValueError(
                "give either 'unit' (s, ms, us, ns since 1970, or iso8601) or 'format' (a pattern such as "
                "'%Y-%m-%d %H:%M')"
            )
        counted = self.unit is not None and self.unit != "iso8601"
        if self.origin is not None and not counted:
            raise ValueError("'origin' is the moment of 0 and goes with a 'unit' that counts (s, ms, us, ns)")
        if self.offset is not None and (len(self.column) < 2 or counted):
            raise ValueError("'offset' is the unit of a second column, which counts since the date in the first")
        if len(self.column) > 1 and counted:
            raise ValueError("two columns are a date and a time of day, or a date and an 'offset', not numbers")
        if self.format is not None:
            check_format(self.format, self.year)
        elif self.year is not None:
            raise ValueError("'year' goes with a 'format' that names none")
        if self.timezone is not None:
            check_timezone(self.timezone)
        return self
