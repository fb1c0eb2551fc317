"""Frames and blocks on their way between machines."""

from __future__ import annotations

import pickle

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.coders.typecoders import registry

from tandem.components.log_example_gen.beam_steps.coders import BlockCoder, FrameCoder
from tandem.components.log_example_gen.blocks import ExampleBlock

FRAME = pl.DataFrame(
    {
        "text": ["a", "", None],
        "list": [["x", "y"], [], None],
        "number": pl.Series([1, None, 2**62], dtype=pl.Int64),
        "label": pl.Series([0, 1, 0], dtype=pl.Int8),
        "bytes": [b"\x00", b"", None],
    }
)


def in_one_piece(block: ExampleBlock) -> tuple:
    return block.part, block.number, block.split, block.rows.schema, block.rows.rows()


@pytest.mark.parametrize("frame", [FRAME, FRAME.clear(), FRAME.slice(1, 1), pl.DataFrame()])
def test_frames_arrive_as_they_left(frame: pl.DataFrame) -> None:
    coder = FrameCoder()
    again = coder.decode(coder.encode(frame))
    assert (again.schema, again.rows()) == (frame.schema, frame.rows())


@pytest.mark.parametrize(("part", "number", "split"), [(0, 0, None), (12_345, 678, "eval"), (1, 2, "")])
def test_blocks_arrive_as_they_left(part: int, number: int, split: str | None) -> None:
    coder = BlockCoder()
    block = ExampleBlock(part, number, FRAME, split)
    assert in_one_piece(coder.decode(coder.encode(block))) == in_one_piece(block)
    assert in_one_piece(pickle.loads(pickle.dumps(block))) == in_one_piece(block)  # where a step names no type


def test_their_size_is_told_without_packing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameCoder, "encode", None)
    assert BlockCoder().estimate_size(ExampleBlock(0, 0, FRAME)) == FRAME.estimated_size()
    assert FrameCoder().estimate_size(FRAME) == FRAME.estimated_size()


def test_beam_finds_the_coders_by_the_types() -> None:
    assert isinstance(registry.get_coder(ExampleBlock), BlockCoder)
    assert isinstance(registry.get_coder(pl.DataFrame), FrameCoder)
    pair = registry.get_coder(beam.typehints.Tuple[str, pl.DataFrame])
    assert [type(coder).__name__ for coder in pair.coders()] == ["StrUtf8Coder", "FrameCoder"]
