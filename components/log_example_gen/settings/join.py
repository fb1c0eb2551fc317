"""How clicks and conversions find their impression."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tandem.components.log_example_gen.settings.written import Names
from tandem.settings import Settings


class Join(Settings):
    """How clicks and conversions find their impression."""

    on: Names = Field(min_length=1)
    """The key columns, present in all streams."""

    attribution: Literal["impression_id", "last_touch"] = "impression_id"
    """`impression_id`: the key names one impression. `last_touch`: the key (user and item, say) repeats; an event
    belongs to the latest impression (a conversion: to the latest click) of its key at or before it; this needs the
    windows of the streams that there are.
    """

    click_window_hours: float | None = Field(default=None, gt=0)
    """A click later than this after its impression does not count; the edge itself counts. None: no limit."""

    conversion_window_hours: float | None = Field(default=None, gt=0)
    """A conversion later than this after its click does not count; the edge itself counts. Where there are no clicks,
    this is counted from the impression. None: no limit.
    """

    orphan_conversions: Literal["quarantine", "imply_click"] = "quarantine"
    """What becomes of a conversion whose click is missing: it is set aside (`quarantine`), or makes the click's label 1
    (`imply_click`).
    """
