"""Files of logs: which they are, and how they are read."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tandem.components.log_example_gen.settings.conditions import Where
from tandem.components.log_example_gen.settings.written import Names
from tandem.settings import Settings


def _delimiter(value: Any) -> Any:
    """Reads the words for delimiters, and what stands for a character where YAML leaves a backslash as it is."""
    if not isinstance(value, str):
        return value
    return _ESCAPED.sub(_character, _DELIMITERS.get(value, value))


def _character(written: re.Match[str]) -> str:
    code = written[1]
    return "\t" if code == "t" else chr(int(code.lstrip("xu"), 8 if code[0] == "0" else 16))


_DELIMITERS = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


_ESCAPED = re.compile(r"\\(t|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|0[0-7]{2})")


WHITESPACE = "whitespace"
"""The delimiter that is any run of spaces and tabs."""


NULL_WORDS = ("\\N", "NULL", "null", "NA", "NaN", "nan", "None")
"""What other programs write where there is no value."""


_MARK = r"^[^0-9A-Za-z+-]$"  # What can stand within a number and is no part of it.


Delimiter = Annotated[str, BeforeValidator(_delimiter), Field(min_length=1, max_length=10)]


class Files(Settings):
    """A set of files with the same columns."""

    files: Names = Field(min_length=1)
    """Globs, relative to the data folder; what they match is read in the order of the sorted names. `*` and `?` stay
    within a folder, `**` does not. A glob that matches nothing is an error. Hidden files (`.x`, `_x`, or in such a
    folder) are left out unless a glob says the point or the underscore.
    """

    format: Literal["csv", "jsonl", "parquet"] | None = None
    """`csv`, `jsonl` or `parquet`. None: by the name's ending (.csv, .tsv, .jsonl, .ndjson, .parquet, each but the last
    also with .gz, .bz2, .xz, .zst or .zip behind it).
    """

    columns: Names = ()
    """The columns of CSV files without a header, in their order: as many as a row has cells. Empty: the first row names
    them.
    """

    delimiter: Delimiter | None = None
    """Between the cells of a CSV file: one or several characters (`"::"`), `\\t`, `\\x01`, or a word: `comma`,
    `semicolon`, `tab`, `space`, `pipe`, or `whitespace` (any run of spaces and tabs). None: a comma, or a tab where the
    file is called .tsv.
    """

    quoting: bool = True
    """Whether a double quote at the start of a CSV cell opens a quoted one. If not, it is a character like any other.
    """

    escape: str | None = Field(default=None, min_length=1, max_length=1)
    """The character that stands before a quote within a quoted CSV cell (a backslash: Spark, MySQL). None: the quote is
    doubled, unless the beginning of the file can only be read with a backslash; then it is said in the log.
    """

    encoding: str | None = None
    """Of text files, as Python calls it (`utf-16`, `cp1252`, `gbk`). None: by the byte-order mark, else UTF-8."""

    null_values: Names | dict[str, Names] = NULL_WORDS
    """Cells that mean that there is no value: they count as empty. A list for all columns, or a list by column (by its
    name after `rename`; the other columns keep the default). `[]`: none but the empty cell.
    """

    rename: dict[str, str] = Field(default_factory=dict)
    """Name in the file -> the column's name from here on, in all other settings. A name that no file has is an error.
    """

    @field_validator("columns")
    @classmethod
    def _once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise ValueError(f"names that come twice: {twice}")
        return columns

    @field_validator("delimiter")
    @classmethod
    def _between_cells(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and set(delimiter) & set('\r\n\0"'):
            raise ValueError("a delimiter holds no line end, no double quote and no NUL")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        if encoding is not None:
            try:
                "".encode(encoding)
            except LookupError as error:
                raise ValueError(f"Python knows no encoding of texts called '{encoding}'") from error
        return encoding

    @model_validator(mode="after")
    def _sound_escape(self) -> Files:
        if self.escape is not None and (not self.escape.isascii() or self.escape in '"\r\n\0'):
            raise ValueError("'escape' is one ASCII character, and no double quote: None stands for doubled quotes")
        if self.escape is not None and not self.quoting:
            raise ValueError("'escape' is about quotes, and 'quoting' is false")
        return self

    where: Where = Field(default_factory=dict)
    """Conditions on columns; only rows that satisfy all of them are read, the others are counted as `not_asked_for`. So
    one file may be several streams.
    """

    decimal: str = Field(default=".", pattern=_MARK)
    """The mark before the fraction of a number in text: `","` for 12,5."""

    thousands: str | None = Field(default=None, pattern=_MARK)
    """The mark between groups of three digits of a number in text: `","` for 1,234.5. None: there is none."""

    strip: str = ""
    """Characters that may stand around a number in text and say nothing: `"$€%"` for $12, 5 € and 12%, which is 12."""

    @model_validator(mode="after")
    def _different_marks(self) -> Files:
        if self.decimal == self.thousands:
            raise ValueError(f"'decimal' and 'thousands' are both {self.decimal!r}; give both where they change places")
        return self
