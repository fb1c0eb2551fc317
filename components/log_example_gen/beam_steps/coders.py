"""How frames and blocks travel between machines, or between steps that do not run as one: as Arrow IPC streams.

Beam finds these coders by the types that the steps declare. Steps that run as one hand the objects on as they are.
"""

from __future__ import annotations

import io

import polars as pl
from apache_beam import coders
from apache_beam.coders.typecoders import registry

from tandem.components.log_example_gen.blocks import ExampleBlock


class FrameCoder(coders.Coder):
    """A polars frame as an Arrow IPC stream."""

    def encode(self, value: pl.DataFrame) -> bytes:
        """Packs a frame."""
        stream = io.BytesIO()
        value.write_ipc_stream(stream)
        return stream.getvalue()

    def decode(self, encoded: bytes) -> pl.DataFrame:
        """Unpacks a frame."""
        return pl.read_ipc_stream(io.BytesIO(encoded))

    def estimate_size(self, value: pl.DataFrame) -> int:
        """Returns about how many bytes a frame takes. Beam asks of many elements; without this it packs them for it."""
        return int(value.estimated_size())

    def is_deterministic(self) -> bool:
        """Equal frames may differ in how they are cut into pieces: they are no keys."""
        return False

    def to_type_hint(self) -> type:
        """Returns the type of what it packs."""
        return pl.DataFrame


class BlockCoder(coders.Coder):
    """A block: its numbers and its split, then its rows as an Arrow IPC stream."""

    def __init__(self) -> None:
        self._fields = coders.TupleCoder(
            (coders.VarIntCoder(), coders.VarIntCoder(), coders.NullableCoder(coders.StrUtf8Coder()), FrameCoder())
        )

    def encode(self, value: ExampleBlock) -> bytes:
        """Packs a block."""
        return bytes(self._fields.encode((value.part, value.number, value.split, value.rows)))

    def decode(self, encoded: bytes) -> ExampleBlock:
        """Unpacks a block."""
        part, number, split, rows = self._fields.decode(encoded)
        return ExampleBlock(part, number, rows, split)

    def estimate_size(self, value: ExampleBlock) -> int:
        """Returns about how many bytes a block takes."""
        return int(value.rows.estimated_size())

    def is_deterministic(self) -> bool:
        """As for frames."""
        return False

    def to_type_hint(self) -> type:
        """Returns the type of what it packs."""
        return ExampleBlock


registry.register_coder(pl.DataFrame, FrameCoder)
registry.register_coder(ExampleBlock, BlockCoder)
