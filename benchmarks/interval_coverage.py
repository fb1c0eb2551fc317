"""How often 95% intervals of the evaluation cover the truth, on logs whose true metrics are known.

A user has a level of its own and rows z = intercept + level + noise, so that rows of one user are correlated; a row is
positive with probability sigmoid(z). One model says sigmoid(shift + z), which is off in size but orders as well as can
be; the other sees z with noise of its own. The true metrics of both are integrals over normal densities, computed here
on a grid. Rows may have weights that depend on nothing else, which leaves the truth as it is. Each repetition draws
users and rows anew.

    python -m benchmarks.interval_coverage
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import expit, ndtr, xlogy

from tandem.components.metrics.estimates import all_statistics, jackknifed_metrics
from tandem.components.metrics.rows import Rows
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.users import cluster_of

METRICS = (
    "auc",
    "gauc",
    "gauc_by_impressions",
    "gauc_by_positives",
    "log_loss",
    "normalized_entropy",
    "calibration",
)
_GRID = np.linspace(-6, 6, 241)
_WEIGHTS = np.exp(-(_GRID**2) / 2) / np.exp(-(_GRID**2) / 2).sum()


@dataclass(frozen=True)
class World:
    """How logs are drawn.

    Attributes:
      name: What it stands for.
      users: How many.
      rows: Numbers of rows that a user has, drawn with equal probability.
      intercept: Mean of z.
      between: Standard deviation of users' levels.
      within: Standard deviation of z among a user's rows.
      shift: What the first model adds to z.
      noise: Standard deviation of what the second model adds.
      weights: Weights that a row has, drawn with equal probability; none: all weigh 1. The true metrics do not change.
    """

    name: str
    users: int
    rows: tuple[int, ...]
    intercept: float
    between: float = 0.8
    within: float = 1.0
    shift: float = 0.1
    noise: float = 1.0
    weights: tuple[float, ...] = ()

    def draw(self, rng: np.random.Generator) -> Rows:
        """Draws rows."""
        counts = rng.choice(self.rows, self.users)
        users = np.repeat(np.arange(self.users), counts)
        level = rng.normal(scale=self.between, size=self.users)
        z = self.intercept + level[users] + rng.normal(scale=self.within, size=len(users))
        labels = rng.random(len(users)) < expit(z)
        scores = np.stack([expit(z + self.shift), expit(z + rng.normal(scale=self.noise, size=len(z)))], axis=1)
        # The clusters of users are drawn anew, too.
        codes = users + int(rng.integers(2**40))
        return Rows(
            users=codes,
            clusters=cluster_of(codes, lambda: codes),
            labels=labels[:, None].astype(np.int8),
            scores=scores.astype(np.float32),
            slicings=(Sliced.all_rows(len(users)),),
            weights=(rng.choice(self.weights, len(users)),) if self.weights else (),
        )

    def truth(self) -> dict[str, tuple[float, float]]:
        """Computes the metrics of both models over infinitely many users."""
        rate, losses, totals = _per_row(self, np.hypot(self.between, self.within))
        entropy = -(xlogy(rate, rate) + xlogy(1 - rate, 1 - rate))
        true = {
            "auc": self._aucs(self.intercept, np.hypot(self.between, self.within)),
            "log_loss": losses,
            "normalized_entropy": losses / entropy,
            "calibration": totals / rate,
        }
        # Given its level and the numbers of its positives and negatives, a user's AUC has the same mean.
        levels = self.intercept + self.between * _GRID
        aucs = np.array([self._aucs(level, self.within) for level in levels])
        rates = (expit(levels[:, None] + self.within * _GRID) * _WEIGHTS).sum(axis=1)
        sums = {name: np.zeros(3) for name in ("gauc", "gauc_by_impressions", "gauc_by_positives")}
        for rows in self.rows:
            both = (1 - rates**rows - (1 - rates) ** rows) * _WEIGHTS
            # Mean positives where both classes are there: all positives less those of users with positives alone.
            positives = (rows * rates - rows * rates**rows) * _WEIGHTS
            for name, weights in zip(sums, (both, rows * both, positives), strict=True):
                sums[name] += np.append(weights @ aucs, weights.sum())
        return {name: tuple(pair) for name, pair in true.items()} | {
            name: (first / weight, second / weight) for name, (first, second, weight) in sums.items()
        }

    def _aucs(self, mean: float, deviation: float) -> np.ndarray:
        z = mean + deviation * _GRID
        positive, negative = _WEIGHTS * expit(z), _WEIGHTS * expit(-z)
        pairs = positive[:, None] * negative / (positive.sum() * negative.sum())
        gap = z[:, None] - z
        return np.array([(pairs * (np.sign(gap) + 1) / 2).sum(), (pairs * ndtr(gap / self.noise / 2**0.5)).sum()])


def _per_row(world: World, deviation: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Computes the rate of positives, and of each model the mean log loss and the mean score."""
    z = (world.intercept + deviation * _GRID)[:, None]
    losses, scores = [], []
    for logits in (z + world.shift, z + world.noise * _GRID):
        weights = _WEIGHTS if logits.shape[1] > 1 else np.ones(1)
        loss = expit(z) * np.logaddexp(0, -logits) + expit(-z) * np.logaddexp(0, logits)
        losses.append(_WEIGHTS @ (loss @ weights))
        scores.append(_WEIGHTS @ (expit(logits) @ weights))
    return float(_WEIGHTS @ expit(z[:, 0])), np.array(losses), np.array(scores)


WORLDS = (
    World("1,000 users, 8 rows each", 1000, (8,), -1.5),
    World("200 users, 1 to 60 rows", 200, (1, 2, 4, 8, 15, 30, 60), -1.5),
    World("strongly alike rows", 150, (20,), -1.5, between=2.0, within=0.5),
    World("60 users, 10 rows each", 60, (10,), -1.0),
    World("30 users, 10 rows each", 30, (10,), -1.0),
    World("rare: about 25 positives", 250, (1, 2, 5), -3.8),
    World("rarer: about 12 positives", 250, (1, 2, 5), -4.6),
    World("rows that weigh 1/4, 1 or 4", 200, (1, 2, 4, 8, 15, 30, 60), -1.5, weights=(0.25, 1, 4)),
)


def coverage(world: World, repetitions: int, seed: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Counts how often intervals cover the truth.

    Returns:
      By model ("good", "noisy", "difference") and metric: the share of intervals that cover, and the share of
      repetitions that had an interval.
    """
    rng = np.random.default_rng(seed)
    truth = world.truth()
    covered: dict[tuple[str, str], list[bool]] = {}
    for _ in range(repetitions):
        good, noisy = jackknifed_metrics(all_statistics(world.draw(rng)), 2)
        for model, values in (
            ("good", good.estimates()),
            ("noisy", noisy.estimates()),
            ("difference", good.difference(noisy)),
        ):
            for metric in METRICS:
                first, second = truth[metric]
                true = {"good": first, "noisy": second, "difference": first - second}[model]
                value = values[metric]
                covers = covered.setdefault((model, metric), [])
                if not np.isnan(value.low):
                    covers.append(value.low <= true <= value.high)
    return {
        key: (float(np.mean(covers)) if covers else np.nan, len(covers) / repetitions)
        for key, covers in covered.items()
    }


def main() -> None:
    """Prints the coverage in every world."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interval_coverage", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    shown = Table(title=f"share of 95% intervals that cover the truth, in % of {options.repetitions} repetitions")
    for name in ("world", "of", *METRICS, "have one"):
        shown.add_column(name, justify="left" if name in ("world", "of") else "right")
    for world in WORLDS:
        found = coverage(world, options.repetitions, options.seed)
        for model in ("good", "noisy", "difference"):
            shares = [f"{100 * found[model, metric][0]:.1f}" for metric in METRICS]
            least = min(found[model, metric][1] for metric in METRICS)
            shown.add_row(world.name if model == "good" else "", model, *shares, f"{100 * least:.1f}")
    Console(width=150).print(shown)


if __name__ == "__main__":
    main()
