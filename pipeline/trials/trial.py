"""One training: a system, perhaps with a part of it changed, and a seed."""

from __future__ import annotations

from dataclasses import dataclass

LIGHTGBM = "lightgbm"

COMPARISONS = {LIGHTGBM: "LightGBM: gradient-boosted trees, a model per task; needs `pip install .[bench]`"}
"""Systems that are no networks: for the table only, never pushed."""


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
      system: A recipe, or one of `COMPARISONS`.
      variant: An ablation of the recipe; None: the system as it is.
      seed: Of the weights and of the order of the rows.
    """

    system: str
    variant: str | None
    seed: int

    @property
    def name(self) -> str:
        """The system with its ablation, as a user types it."""
        return self.system if self.variant is None else f"{self.system}/{self.variant}"

    def __str__(self) -> str:
        return f"{self.name} seed {self.seed}"
