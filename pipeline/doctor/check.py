"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
      status: `fail`: a run cannot succeed; `warn`: it may be slow, or not do what was meant.
      text: In a sentence; for anything but ok also what to do.
    """

    status: Literal["ok", "warn", "fail"]
    text: str
