from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tandem.components.log_example_gen.readers.block import ROW, Malformed
from tandem.components.log_example_gen.readers.registry import read_file
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import filesystem, find_files

if TYPE_CHECKING:
    from pathlib import Path

Read = Callable[..., tuple[list[tuple], list[Malformed]]]


@pytest.fixture(scope="session")
def read() -> Read:
    """Writes (unless `data` is None) and reads a file; gives rows with their number last, and the malformed lines."""

    def read(
        folder: Path, name: str, data: bytes | None, wanted: list[str], block_bytes: int = 1 << 20, **more: Any
    ) -> tuple[list[tuple], list[Malformed]]:
        if data is not None:
            (folder / name).write_bytes(data)
        spec = Files(files=name, **more)
        (file,) = find_files(spec, str(folder), "log")
        blocks = list(read_file(filesystem(str(folder))[0], file, spec, wanted, block_bytes))
        rows = [row for block in blocks for row in block.rows.select(*wanted, ROW).iter_rows()]
        return rows, [line for block in blocks for line in block.malformed]

    return read
