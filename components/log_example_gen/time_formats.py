"""Patterns of times, as Python's `strptime` has them -> regular expressions with a named group per part.

Imports nothing, so that a configuration can be checked without reading a log.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo

WORDS = {"apache": "%d/%b/%Y:%H:%M:%S %z", "rfc2822": "%a, %d %b %Y %H:%M:%S %z"}
"""What a pattern may be called, where everybody writes the same one."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# Digits, first with all of them, then with the leading zero left out.
_NUMBERS = {
    "Y": (r"\d{4}", None),
    "y": (r"\d{2}", None),
    "m": (r"1[0-2]|0[1-9]", r"[1-9]"),
    "d": (r"3[01]|[12]\d|0[1-9]", r" ?[1-9]"),
    "H": (r"2[0-3]|[01]\d", r"\d"),
    "I": (r"1[0-2]|0[1-9]", r"[1-9]"),
    "M": (r"[0-5]\d", r"\d"),
    "S": (r"[0-5]\d", r"\d"),
    "f": (r"\d{1,9}", None),
}
_TEXTS = {
    "b": "|".join(MONTHS),
    "B": "|".join(_MONTH_NAMES),
    "a": "|".join(name[:3] for name in _DAY_NAMES),
    "A": "|".join(_DAY_NAMES),
    "p": "am|pm",
    "Z": "utc|gmt|z",
}
_ZONE = r"(?P<zone>z|utc|gmt|(?P<sign>[+-])(?P<zone_hour>\d{2}):?(?P<zone_minute>[0-5]\d))"
_GROUPS = {
    "Y": "year",
    "y": "short_year",
    "m": "month",
    "b": "month_name",
    "B": "month_name",
    "d": "day",
    "H": "hour",
    "I": "hour_of_12",
    "p": "half",
    "M": "minute",
    "S": "second",
    "f": "fraction",
    "z": "zone",
    "Z": "zone",
    "a": "weekday",
    "A": "weekday",
}
_JAVA = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%f"}
_SPECIAL = re.compile(r"[^A-Za-z0-9_\s]")


def groups(pattern: str) -> frozenset[str]:
    """Returns the parts of a time that a pattern names: `year`, `month`, `day`, `hour` ...

    Raises:
      ValueError: See `expression`.
    """
    return frozenset(re.compile(expression(pattern)).groupindex)


def expression(pattern: str) -> str:
    r"""Returns the regular expression of a pattern, or of a word for one.

    Texts are read as `strptime` reads them, names in English and in any case, with one exception: where numbers stand
    side by side, only the first of them may lack its leading zero. `930` is half past nine by `%H%M`, but `15` is no
    time, where `strptime` would say five past one.

    >>> bool(re.match(expression("%H%M"), "930")), bool(re.match(expression("%H%M"), "15"))
    (True, False)

    Args:
      pattern: Text with directives: %Y %y %m %b %B %d %H %I %p %M %S %f (up to nine digits) %z %Z (UTC or GMT) %a %A
        (not compared with the date) %%.

    Raises:
      ValueError: A directive that is not among them, or that comes twice.
    """
    pattern = WORDS.get(pattern, pattern)
    parts: list[str] = []
    seen: set[str] = set()
    beside_digits = False
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter != "%":
            parts.append(r"\s+" if letter.isspace() else _SPECIAL.sub(lambda found: "\\" + found.group(), letter))
            beside_digits = False
            at += 1
            continue
        directive = pattern[at + 1 : at + 2]
        at += 2
        if directive == "%":
            parts.append("%")
            beside_digits = False
            continue
        if directive not in _GROUPS:
            known = " ".join(f"%{name}" for name in _GROUPS)
            raise ValueError(f"'%{directive}' in {pattern!r} is not known; known are {known}")
        group = _GROUPS[directive]
        if group in seen:
            raise ValueError(f"{pattern!r} names the {group.replace('_', ' ')} twice")
        seen.add(group)
        parts.append(_ZONE if directive == "z" else f"(?P<{group}>{_alternatives(directive, beside_digits)})")
        beside_digits = directive in _NUMBERS
    return rf"(?i)^\s*{''.join(parts)}\s*$"


def _alternatives(directive: str, beside_digits: bool) -> str:
    if directive in _TEXTS:
        return _TEXTS[directive]
    full, short = _NUMBERS[directive]
    return full if short is None or beside_digits else f"{full}|{short}"


def check_format(pattern: str, year: int | None) -> None:
    """Looks whether a pattern names a moment.

    Args:
      pattern: As `expression` takes it.
      year: The year of all times, where the pattern names none.

    Raises:
      ValueError: It does not, or it says the same thing twice.
    """
    if "%" not in WORDS.get(pattern, pattern):
        raise ValueError(_no_directive(pattern))
    found = groups(pattern)
    names = [name for name in ("year", "short_year") if name in found]
    if len(names) > 1 or {"month", "month_name"} <= found or {"hour", "hour_of_12"} <= found:
        raise ValueError(f"format {pattern!r} names the year, the month or the hour twice")
    if not names and year is None:
        raise ValueError(f"format {pattern!r} names no year (%Y, %y); give it as 'year'")
    if names and year is not None:
        raise ValueError(f"format {pattern!r} names the year; 'year' is for formats that do not")
    if "day" not in found or not found & {"month", "month_name"}:
        raise ValueError(f"format {pattern!r} needs a month (%m, %b, %B) and a day (%d)")
    if ("hour_of_12" in found) != ("half" in found):
        raise ValueError(f"format {pattern!r}: %I and %p belong together; an hour of 0 to 23 is %H")


def _no_directive(pattern: str) -> str:
    said = f"format {pattern!r} is neither a pattern of Python's strptime nor one of {', '.join(WORDS)}"
    translated = re.sub("|".join(_JAVA), lambda found: _JAVA[found.group()], pattern)
    return f"{said}; did you mean {translated!r}?" if "%" in translated else said


def check_timezone(name: str) -> None:
    """Looks whether there is such a zone; a machine that has no list of them believes everything.

    Raises:
      ValueError: There is none.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        if known := sorted(zoneinfo.available_timezones()):
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean '{near[0]}'?" if near else ", such as 'Europe/Berlin'"
            raise ValueError(f"timezone {name!r} is no IANA name{meant}") from error
