"""The tables of docs/configuration.md, made of the settings classes.

    python -m tandem.pipeline.configuration.reference docs/configuration.md

rewrites what stands between `<!-- settings: CLASS -->` and `<!-- /settings -->`: a row per key that the class declares
itself. The prose around the tables is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from tandem.models.recipes import RECIPES
from tandem.pipeline.configuration.config import Config
from tandem.validation.places import annotated, fields, members
from tandem.validation.words import bounds, describe

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_TABLE = re.compile(r"<!-- settings: (\w+) -->\n.*?<!-- /settings -->", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def rewritten(page: str) -> str:
    """Returns the page with its tables made anew.

    Args:
      page: Markdown.

    Raises:
      ValueError: A marker names no settings class.
    """
    classes = {cls.__name__: cls for cls in settings_classes()}
    if strange := {name for name in _TABLE.findall(page) if name not in classes}:
        raise ValueError(f"no settings classes: {', '.join(sorted(strange))}")
    links = {classes[table[1]]: _link(page, table.start()) for table in _TABLE.finditer(page)}

    def table(found: re.Match[str]) -> str:
        rows = "\n".join(_row(key, field, links) for key, field in own_fields(classes[found[1]]).items())
        head = "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |"
        return f"<!-- settings: {found[1]} -->\n{head}\n{rows}\n<!-- /settings -->"

    return _TABLE.sub(table, page)


def settings_classes() -> list[type[BaseModel]]:
    """Returns the classes of all that a user may write, and their bases; those that declare no key are left out."""
    found: dict[type[BaseModel], None] = {}
    for root in (Config, *(part.settings for recipe in RECIPES.values() for part in recipe.parts)):
        _collect(root, found)
    return [cls for cls in found if own_fields(cls)]


def _collect(annotation: Any, found: dict[type[BaseModel], None]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for cls in annotation.__mro__:
            if issubclass(cls, BaseModel) and cls not in found:
                found[cls] = None
                for field in cls.model_fields.values():
                    _collect(field.annotation, found)
    for argument in get_args(annotation):
        _collect(argument, found)


def own_fields(cls: type[BaseModel]) -> dict[str, FieldInfo]:
    """Returns the settings that a class declares itself, by the key that a user writes."""
    declared = inspect.get_annotations(cls)
    names = {field.alias or name: name for name, field in cls.model_fields.items()}
    return {key: field for key, field in fields(cls).items() if names[key] in declared}


def _link(page: str, position: int) -> str:
    """A link to the heading above a position."""
    heading = [found[1] for found in _HEADING.finditer(page, 0, position)][-1]
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    return f"[{heading[:1].lower()}{heading[1:]}](#{anchor})"


def _row(key: str, field: FieldInfo, links: dict[type[BaseModel], str]) -> str:
    cells = (f"`{key}`", _type(annotated(field), links), _default(field), " ".join((field.description or "").split()))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type(annotation: Any, links: dict[type[BaseModel], str], plural: bool = False) -> str:
    """What may be written, in words."""
    if get_origin(annotation) is Annotated:
        base, *limits = get_args(annotation)
        for limit in limits:
            if isinstance(limit, BeforeValidator) and len(members(limit.json_schema_input_type)) > 1:
                return _type(limit.json_schema_input_type, links, plural)
        return _type(base, links, plural) + re.sub(" of at least 1 (character|element)", "", bounds(limits, base))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    options = members(annotation)
    if options != [annotation]:
        return _alternatives([option for option in get_args(annotation) if option is not type(None)], links, plural)
    if get_origin(annotation) is tuple:
        inner, *rest = get_args(annotation)
        many = "" if rest == [...] else f"{1 + len(rest)} "
        return f"{'lists' if plural else 'list'} of {many}{_type(inner, links, plural=True)}"
    if annotation in links:
        return links[annotation]
    return describe(annotation, plural).removeprefix("a ").partition(", such as")[0].replace(" (key: value)", "")


def _alternatives(options: list[Any], links: dict[type[BaseModel], str], plural: bool) -> str:
    words = list(dict.fromkeys(_type(option, links, plural) for option in options))
    if len(words) == 2 and words[1].endswith(f" of {_type(options[0], links, plural=True)}") and " or " in words[0]:
        words[1] = words[1].partition(" ")[0] + " of these"  # long enough without saying it twice
    return " or ".join(words)


def _default(field: FieldInfo) -> str:
    if field.is_required() or (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1):
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return "see there"
    return "none" if default is None else f"`{_yaml(default)}`"


def _yaml(value: Any) -> str:
    """Writes a default as a user would."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(_yaml, value))}]" if isinstance(value, tuple) else str(value)


def main(path: str) -> None:
    """Rewrites the tables of a page.

    Args:
      path: The page.
    """
    page = Path(path)
    page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
