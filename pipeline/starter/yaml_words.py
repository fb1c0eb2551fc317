"""Values as YAML has them: plain where that is read as the same text, quoted elsewhere."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_.*/-]*")
_WORDS_OF_YAML = {"true", "false", "null", "yes", "no", "on", "off"}


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Yields lines two columns further in."""
    return (f"  {line}" if line else "" for line in lines)


def task_name(label: str) -> str:
    """Returns a name that a task may have."""
    name = re.sub(r"[^a-z0-9_]+", "_", label.lower()).strip("_")
    return name if re.match(r"[a-z]", name) else f"task_{name}"


def listed(values: Sequence[str]) -> str:
    """Writes several texts as a list, one as it is."""
    texts = [scalar(value) for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def valued(value: str | bool | tuple[str, ...]) -> str:
    """Writes a text, true or false, or a list of texts."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(scalar, value))}]"
    return str(value).lower() if isinstance(value, bool) else scalar(value)


def scalar(text: str) -> str:
    """Writes a text plainly where that is read as the same text, quoted elsewhere."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML and not _is_number(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text)) or True
    except ValueError:
        return False
