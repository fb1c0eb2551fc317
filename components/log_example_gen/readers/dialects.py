"""How CSV files differ: what stands between cells, around them, and before a quote within one."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tandem.components.log_example_gen.readers.packed import bare
from tandem.components.log_example_gen.settings.files import WHITESPACE
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

# Control characters that separate or mean nothing, and that logs do not use otherwise: one of them takes the place of a
# delimiter that is more than one byte.
_STAND_INS = [bytes([code]) for code in (*range(0x1F, 0x0D, -1), *range(0x08, 0x00, -1))]
_AROUND_LINES = re.compile(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)")
_SPACES = re.compile(rb"[ \t]+")


@dataclass(frozen=True)
class Dialect:
    """What stands between two cells, and what may stand around one (None: nothing).

    Attributes:
      delimiter: One character or several, or `WHITESPACE`.
      quote: One character.
      meant: Where the delimiter is a stand-in: what it stands for.
    """

    delimiter: str
    quote: str | None
    meant: str | None = None

    @classmethod
    def of(cls, file: SourceFile, spec: Files) -> Dialect:
        """Returns what the settings say, and otherwise the name of the file."""
        usual = "\t" if bare(file.name).endswith(".tsv") else ","
        return cls(spec.delimiter or usual, '"' if spec.quoting else None)

    @property
    def quoting(self) -> Literal[0, 3]:
        """What Python's module calls it."""
        return csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL

    def of_one_byte(self, block: bytes, file: SourceFile) -> tuple[bytes, Dialect]:
        """Returns lines with a delimiter of one byte, as parsers want it, and the dialect that they are in.

        Raises:
          LogsError: No control character is left for it.
        """
        if len(self.delimiter.encode()) == 1:
            return block, self
        stand_in = next((each for each in _STAND_INS if each not in block), None)
        if stand_in is None:
            raise LogsError(f"{file.name}: all control characters are in use, none is left to stand for the delimiter")
        if self.delimiter == WHITESPACE:
            block = _SPACES.sub(stand_in, _AROUND_LINES.sub(b"", block))
            return block, Dialect(stand_in.decode(), self.quote, meant=" ")
        block = block.replace(self.delimiter.encode(), stand_in)
        return block, Dialect(stand_in.decode(), self.quote, meant=self.delimiter)

    def as_written(self, text: str) -> str:
        """Returns a text of a block as it was before a stand-in took the delimiter's place."""
        return text if self.meant is None else text.replace(self.delimiter, self.meant)
