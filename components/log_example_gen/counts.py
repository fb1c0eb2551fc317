"""What became of every row: the sums that must add up, and how they are told."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from tandem.components.log_example_gen.dates import describe_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXAMPLES = "examples"  # Followed by a point and the split's name.
ATTACHED = "attached"  # Clicks and conversions that set a label.
VALUES_TOLD = 3  # Of values that cannot be read.
KEPT = "kept"  # Rows of a side table.


@dataclass(frozen=True)
class Counts:
    """Numbers that are added up over files and shards.

    Attributes:
      rows: By source, the rows read.
      outcomes: By source and outcome (`examples.train`, `attached`, `kept` or the name of a reason), the rows.
      positives: By split and label, the examples whose label is 1.
      unmatched: By side table, the examples whose key it lacks.
      without_key: By side table, those among them that have no key at all.
      numbers: By numeric column, the values that are numbers, of the examples or of the side table's rows.
      numbers_in: By split and numeric column, the examples that have a number.
      unreadable: By column, the values that are no numbers and were left out.
      unreadable_values: By column, some of them, each with the file that it stands in.
      leads: By stream and seconds, the events whose time did not fit and that lie up to so long before something that
        they could belong to (see `attribution.leads`).
      positive_rows: By label, the rows that make it 1, the bad ones among them.
      lost_positives: By label and reason, those of them that are bad.
      id_forms: By column with ids and form of these (see `id_forms.id_forms`), an example.
      impressions_by_day: By day (as 2024-03-10, UTC), the impressions that are left, whatever they are for.
      positives_by_day: By label and day of the impression, those whose label is 1.
      not_final: By split and label, the examples whose label may still change after the end of the logs.
      first_us: The earliest impression, in microseconds since 1970; None: there is no time.
      last_us: The latest one.
      observed_until_us: The end of the logs, where labels have windows or the examples tell it.
    """

    rows: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    positives: dict[str, Counter[str]] = field(default_factory=dict)
    unmatched: Counter[str] = field(default_factory=Counter)
    without_key: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    numbers_in: dict[str, Counter[str]] = field(default_factory=dict)
    unreadable: Counter[str] = field(default_factory=Counter)
    unreadable_values: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    leads: dict[str, Counter[str]] = field(default_factory=dict)
    positive_rows: Counter[str] = field(default_factory=Counter)
    lost_positives: dict[str, Counter[str]] = field(default_factory=dict)
    id_forms: dict[str, dict[str, str]] = field(default_factory=dict)
    impressions_by_day: Counter[str] = field(default_factory=Counter)
    positives_by_day: dict[str, Counter[str]] = field(default_factory=dict)
    not_final: dict[str, Counter[str]] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None
    observed_until_us: int | None = None

    def examples(self, split: str) -> int:
        """Returns how many examples a split has."""
        return sum(outcomes[f"{EXAMPLES}.{split}"] for outcomes in self.outcomes.values())

    def lost(self, label: str) -> int:
        """Returns how many of the rows that make a label 1 are bad."""
        return sum(self.lost_positives.get(label, Counter()).values())

    def unreadable_share(self, column: str) -> float:
        """Returns the share of a numeric column's values that are no numbers."""
        values = self.unreadable[column] + self.numbers[column]
        return self.unreadable[column] / values if values else 0.0

    def properties(self) -> dict[str, int]:
        """Returns the sums of rows under one flat name each: `clicks.rows`, `clicks.no_impression` ..."""
        flat = {f"{source}.rows": number for source, number in self.rows.items()}
        for source, outcomes in self.outcomes.items():
            flat.update((f"{source}.{outcome}", number) for outcome, number in outcomes.items())
        for split, positives in self.positives.items():
            flat.update((f"positives.{split}.{label}", number) for label, number in positives.items())
        for split, late in self.not_final.items():
            flat.update((f"not_final.{split}.{label}", number) for label, number in late.items())
        flat.update((f"lost_positives.{label}", lost) for label in self.lost_positives if (lost := self.lost(label)))
        flat.update((f"unmatched.{table}", number) for table, number in self.unmatched.items())
        flat.update((f"unreadable.{column}", number) for column, number in self.unreadable.items())
        return dict(sorted(flat.items()))

    def to_json(self) -> str:
        """Writes the numbers for people and programs."""
        return json.dumps(_COUNTS.dump_python(self, mode="json"), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Counts:
        """Reads what `to_json` wrote.

        Raises:
          pydantic.ValidationError: It is something else.
        """
        return _COUNTS.validate_json(text)

    def check(self) -> None:
        """Compares the rows read of each source with the sum of what became of them.

        Raises:
          RuntimeError: Some rows are lost or counted twice: a defect of this room, not of the logs.
        """
        for source, rows in self.rows.items():
            found = sum(self.outcomes.get(source, Counter()).values())
            if found != rows:
                raise RuntimeError(
                    f"the counts of '{source}' do not add up: {rows:,} rows were read, {found:,} are accounted for "
                    f"({dict(self.outcomes.get(source, {}))}); this is a defect of the ingestion, please report it"
                )


_COUNTS = TypeAdapter(Counts)


def merged(counts: Iterable[Counts]) -> Counts:
    """Adds counts up; their order does not matter."""
    total = Counts()
    times: list[int] = []
    ends: list[int] = []
    for one in counts:
        total.rows.update(one.rows)
        total.unmatched.update(one.unmatched)
        total.positive_rows.update(one.positive_rows)
        total.without_key.update(one.without_key)
        total.impressions_by_day.update(one.impressions_by_day)
        total.unreadable.update(one.unreadable)
        total.numbers.update(one.numbers)
        for column, quoted in one.unreadable_values.items():
            total.unreadable_values[column] = sorted({*total.unreadable_values.get(column, []), *quoted})[:VALUES_TOLD]
        for into, numbers in (
            (total.outcomes, one.outcomes),
            (total.positives, one.positives),
            (total.numbers_in, one.numbers_in),
            (total.leads, one.leads),
            (total.positives_by_day, one.positives_by_day),
            (total.not_final, one.not_final),
            (total.lost_positives, one.lost_positives),
        ):
            for name, counter in numbers.items():
                into.setdefault(name, Counter()).update(counter)
        for column, forms in one.id_forms.items():
            known = total.id_forms.setdefault(column, {})
            known.update((form, min(known.get(form, example), example)) for form, example in forms.items())
        times += [time for time in (one.first_us, one.last_us) if time is not None]
        ends += [one.observed_until_us] if one.observed_until_us is not None else []
    return dataclasses.replace(
        total,
        first_us=min(times, default=None),
        last_us=max(times, default=None),
        observed_until_us=max(ends, default=None),
    )


def describe_not_final(counts: Counts) -> list[str]:
    """Returns a line per label and split with examples whose label may still change after the end of the logs."""
    if counts.observed_until_us is None:
        return []
    end = describe_us(counts.observed_until_us)[:16]
    return [
        f"{label} may still change in {number:,} of {counts.examples(split):,} {split} examples: "
        f"its window reaches beyond the end of the logs, {end} UTC"
        for split, late in counts.not_final.items()
        for label, number in late.items()
        if number
    ]


def describe_lost(counts: Counts) -> list[str]:
    """Returns a line per label that loses rows which make it 1, and per column with values that are no numbers."""
    labels = [
        f"{label}: {lost:,} of the {counts.positive_rows[label]:,} rows that make it 1 "
        f"({lost / counts.positive_rows[label]:.1%}) are bad"
        for label in counts.lost_positives
        if (lost := counts.lost(label))
    ]
    return labels + [
        f"{column}: {number:,} of {number + counts.numbers[column]:,} values ({counts.unreadable_share(column):.1%}) "
        f"are no numbers and count as missing, such as {describe_values(counts, column)}"
        for column, number in sorted(counts.unreadable.items())
        if number
    ]


def describe_values(counts: Counts, column: str) -> str:
    """Quotes some values of a column that are no numbers, with their files."""
    values = counts.unreadable_values.get(column, [])
    return ", ".join(f"{value!r} ({file})" if file else repr(value) for value, file in values)


def describe(counts: Counts, splits: Sequence[str]) -> list[str]:
    """Returns a line per source that adds up: rows = examples (by split, in this order) + duplicates + each reason."""
    width = max((len(source) for source in counts.rows), default=0)
    number_width = max((len(f"{number:,}") for number in counts.rows.values()), default=0)
    lines = []
    for source, rows in counts.rows.items():
        outcomes = {name: number for name, number in counts.outcomes.get(source, {}).items() if number}
        by_split = {split: outcomes[f"{EXAMPLES}.{split}"] for split in splits if f"{EXAMPLES}.{split}" in outcomes}
        parts = [f"{outcomes[name]:,} {name}" for name in (ATTACHED, KEPT) if name in outcomes]
        if by_split:
            splits = ", ".join(f"{split} {number:,}" for split, number in by_split.items())
            parts.append(f"{sum(by_split.values()):,} examples ({splits})")
        rest = sorted(name for name in outcomes if name not in (ATTACHED, KEPT) and not name.startswith(f"{EXAMPLES}."))
        parts += [f"{outcomes[name]:,} {'duplicates' if name == 'duplicate' else name}" for name in rest]
        line = f"{source:<{width}}  {rows:>{number_width},} rows = {' + '.join(parts) or '0'}"
        if counts.unmatched[source]:
            line += f"; {counts.unmatched[source]:,} examples have a key that it lacks"
        if counts.without_key[source]:
            line += f", {counts.without_key[source]:,} of them no key at all"
        lines.append(line)
    return lines
