"""Numbers as people write them: with a decimal comma, marks between thousands, the sign of a currency."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from tandem.components.log_example_gen.records import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings.files import Files


_AROUND = re.compile(r"[+-]?\d[\d.,\s]*([eE][+-]?\d+)?|[+-]")  # What is left of a text without it may be a currency.


class Notation(NamedTuple):
    """How the numbers of some files are written.

    Attributes:
      decimal: The mark before the fraction.
      thousands: The mark between groups of three digits; None: there is none.
      strip: Characters that may stand before and after a number.
    """

    decimal: str = "."
    thousands: str | None = None
    strip: str = ""


PLAIN = Notation()


class Written(NamedTuple):
    """How the numbers of some rows were written, and in which files.

    Attributes:
      notation: How.
      files: The names of the files that `FILE` counts; none where messages need not name them.
    """

    notation: Notation = PLAIN
    files: tuple[str, ...] = ()

    def file(self, rows: pl.DataFrame, row: int) -> str:
        """Returns the name of the file that a row comes from, empty where that is not known."""
        return self.files[rows.get_column(FILE)[row]] if self.files and FILE in rows.columns else ""


PLAINLY = Written()


def notation_of(spec: Files) -> Notation:
    """Returns how the numbers of files are written."""
    return Notation(spec.decimal, spec.thousands, spec.strip)


def plain(text: pl.Expr, notation: Notation = PLAIN) -> pl.Expr:
    """Writes numbers as programs do, with a point and nothing else: `1.234,5` becomes `1234.5`.

    Args:
      text: Texts.
      notation: How the numbers in them are written.

    Returns:
      Texts without spaces around them; with a notation of its own, null for those that are no numbers by it.
    """
    if notation == PLAIN:
        return text.str.strip_chars()
    part = text.str.extract_groups(_expression(notation))
    whole = part.struct.field("whole")
    if notation.thousands is not None:
        whole = whole.str.replace_all(notation.thousands, "", literal=True)
    fraction = part.struct.field("fraction").fill_null("")
    there = (whole != "") | (fraction != "")
    pieces = [part.struct.field("sign"), part.struct.field("inner_sign"), whole]
    pieces += [pl.when(fraction != "").then(pl.concat_str([pl.lit("."), fraction])).otherwise(pl.lit(""))]
    pieces += [part.struct.field("exponent").fill_null("")]
    return pl.when(there).then(pl.concat_str(pieces))


def _expression(notation: Notation) -> str:
    around = rf"[\s{''.join(re.escape(letter) for letter in notation.strip)}]*"
    grouped = "" if notation.thousands is None else rf"\d{{1,3}}(?:{re.escape(notation.thousands)}\d{{3}})+|"
    return (
        rf"^\s*(?P<sign>[+-]?){around}(?P<inner_sign>[+-]?)(?P<whole>{grouped}\d*)"
        rf"(?:{re.escape(notation.decimal)}(?P<fraction>\d*))?(?P<exponent>[eE][+-]?\d+)?{around}$"
    )


def number(text: pl.Expr, notation: Notation = PLAIN) -> pl.Expr:
    """Reads texts as finite numbers (Float64), null for what is none.

    Args:
      text: Texts.
      notation: How the numbers in them are written.
    """
    value = plain(text, notation).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


_MARKS = (Notation(thousands=","), Notation(decimal=","), Notation(decimal=",", thousands="."), Notation(thousands=" "))


def settings_for(values: Sequence[str]) -> str:
    """Returns the settings by which some texts are numbers, as they are written in a configuration; empty: none known.

    >>> settings_for(["1,234", "12,345,678.5"]), settings_for(["$1,5", "-2"]), settings_for(["many"])
    ("thousands: ','", "decimal: ',', strip: '$'", '')
    """
    around = "".join(sorted({letter for value in values for letter in _AROUND.sub("", value.strip())}))
    texts = pl.DataFrame({"value": list(values)}, schema={"value": pl.String})
    for strip in ("", around):
        for marks in (PLAIN, *_MARKS):
            notation = marks._replace(strip=strip)
            found = texts.select(number(pl.col("value"), notation)).to_series()
            if values and not found.has_nulls():
                defaults = zip(Notation._fields, notation, PLAIN, strict=True)
                return ", ".join(f"{name}: {value!r}" for name, value, usual in defaults if value != usual)
    return ""
