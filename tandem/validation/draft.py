"""What a user wrote, as far as it can be understood.

Validation alone stops early: where one setting is wrong, nothing that compares it with others is checked any more, the
sound ones included. A draft gives out every setting that is sound by itself, so that all checks run whose inputs are
sound, and all mistakes can be told in one answer. A check that asks for anything else ends there: what it would have
said only follows from a mistake that is told already.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from tandem.settings import Settings
from tandem.validation.places import Path, Problem, annotation_at, at, fields, has, member_for
from tandem.validation.words import closest, explain, validated

S = TypeVar("S", bound=Settings)
T = TypeVar("T", bound=Settings)
M = TypeVar("M", bound=BaseModel)


class Unclear(Exception):
    """A setting was asked for that is wrong, or that a key which nobody knows may stand for."""


class Draft(Generic[S]):
    """Settings as a user wrote them.

    Attributes:
      settings: The whole; None where something is wrong with it.
      problems: All that is wrong by the classes of the settings, each with its path.
    """

    settings: S | None

    def __init__(self, cls: type[S], data: Any):
        """Reads the settings.

        Args:
          cls: Their class.
          data: Plain dictionaries, lists and words.
        """
        self._cls = cls
        self._data = data
        try:
            self.settings = validated(cls, data)
            self.problems: tuple[Problem, ...] = ()
        except ValidationError as error:
            self.settings = None
            found = explain(error, cls, data)
            self.problems = tuple(dict.fromkeys([*found, *self._checks_not_reached(path for path, _ in found)]))

    def read(self, *path: str | int) -> Any:
        """Returns a setting, the default where it was not written.

        Args:
          *path: Its keys.

        Raises:
          Unclear: It is wrong, missing, or may be what an unknown key beside it means.
        """
        if self.settings is not None:
            return functools.reduce(_below, path, self.settings)
        if has(at(self._data, path[:-1]), path[-1]):
            annotation = annotation_at(self._cls, path, self._data)
            try:
                return validated(annotation, at(self._data, path))
            except (ValidationError, TypeError):
                raise Unclear(path) from None
        return self._default(path)

    def keys(self, *path: str | int) -> list[Any]:
        """Returns the positions of a list or the keys of a mapping.

        Args:
          *path: The keys that lead there.

        Raises:
          Unclear: It is none.
        """
        written = at(self._data, path)
        whole = written if isinstance(written, list | dict) else self.read(*path)
        return list(whole) if isinstance(whole, Mapping) else list(range(len(whole)))

    def elements(self, *path: str | int) -> Iterator[tuple[Any, Any]]:
        """Yields the sound elements of a list or a mapping, each with its position or key.

        Args:
          *path: The keys that lead there.

        Raises:
          Unclear: It is none.
        """
        for key in self.keys(*path):
            with contextlib.suppress(Unclear):
                yield key, self.read(*path, key)

    def partial(self, *path: str | int) -> Any:
        """Returns settings with the attributes that are clear and no others: asking for one is an AttributeError.

        Args:
          *path: The keys that lead there.

        Raises:
          Unclear: There are no settings, or it is not known of which kind they are.
        """
        if self.settings is not None:
            return self.read(*path)
        written = at(self._data, path)
        cls = member_for(annotation_at(self._cls, path, self._data), written)
        if not isinstance(written, dict) or not fields(cls):
            raise Unclear(path)
        if "kind" in fields(cls):
            self.read(*path, "kind")
        return self._partial(path, cls)

    def section(self, key: str, cls: type[T]) -> Draft[T]:
        """Returns a draft of the settings below a key.

        Args:
          key: Of a mapping.
          cls: The class of its settings.

        Raises:
          Unclear: It is no mapping, or is not there and may be what an unknown key means.
        """
        written = at(self._data, (key,))
        if not isinstance(written, dict):
            self.read(key)
        return Draft(cls, written or {})

    def given(self, *path: str | int) -> bool:
        """Returns whether anything was written.

        Args:
          *path: The keys that lead there.
        """
        return at(self._data, path) is not None

    def run(self, check: Callable[[S], Iterator[Problem]]) -> Iterator[Problem]:
        """Runs a check of the settings, as far as it looks at sound ones.

        Args:
          check: Finds problems.
        """
        if self.settings is not None:
            yield from check(self.settings)
        else:
            with contextlib.suppress(AttributeError):  # it looks at a setting that is not clear
                yield from check(self.partial())

    def _default(self, path: Path) -> Any:
        """Returns the default of a setting that was not written."""
        above, key = path[:-1], path[-1]
        beside = at(self._data, above)
        if beside is None:
            return _below(self.read(*above), key)
        known = fields(member_for(annotation_at(self._cls, above, self._data), beside))
        field = known.get(str(key))
        if not isinstance(beside, dict) or field is None or field.is_required():
            raise Unclear(path)
        meant = {closest(strange, known) for strange in beside if strange not in known}
        if meant & {key, None}:
            raise Unclear(path)
        return field.get_default(call_default_factory=True)

    def _checks_not_reached(self, wrong: Iterable[Path]) -> Iterator[Problem]:
        """Runs the checks of settings classes that pydantic leaves out because one of their settings is wrong."""
        above = {path[:length]: None for path in wrong for length in range(len(path), -1, -1)}
        for path in above:
            with contextlib.suppress(Unclear):
                partial = self.partial(*path)
                checks = type(partial).__pydantic_decorators__.model_validators.values()
                said = [_answer(check.func, partial) for check in checks if check.info.mode == "after"]
                yield from ((path, sentence) for sentence in said if sentence)

    def _partial(self, path: Path, cls: type[M]) -> M:
        """Makes settings of what is clear at a path; there are no other attributes."""
        partial = cls.model_construct()
        partial.__dict__.clear()
        for key in fields(cls):
            with contextlib.suppress(Unclear):
                partial.__dict__[_name(cls, key)] = self.read(*path, key)
        return partial


def _answer(check: Callable[[Any], Any], partial: BaseModel) -> str | None:
    """What a check of a settings class finds wrong; None where it looks at a setting that is not clear."""
    try:
        with contextlib.suppress(AttributeError):
            check(partial)
    except ValueError as error:
        return str(error)
    return None


def _name(cls: type[BaseModel], key: str | int) -> str:
    """The attribute that a key of a file sets."""
    return next((name for name, field in cls.model_fields.items() if (field.alias or name) == key), str(key))


def _below(settings: Any, key: str | int) -> Any:
    """What a key leads to, in settings, a list or a mapping of them."""
    try:
        return getattr(settings, _name(type(settings), key)) if isinstance(settings, BaseModel) else settings[key]
    except (AttributeError, LookupError, TypeError):
        raise Unclear(key) from None
