"""All checks, one after the other, and how they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from tandem.pipeline.configuration.config import ConfigError, load
from tandem.pipeline.doctor.check import Check
from tandem.pipeline.doctor.installation import environment
from tandem.pipeline.doctor.machine import machine
from tandem.pipeline.doctor.settings import folders, recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORDS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}


def examine(
    config: str | None = None,
    data: str | None = None,
    overrides: Sequence[str] = (),
    console: Console | None = None,
) -> bool:
    """Prints all findings.

    Args:
      config: A configuration file; None: the machine and the environment only.
      data: The folder of the logs, as for a run.
      overrides: Changes of the configuration, as for a run.
      console: None: standard output.

    Returns:
      Whether nothing failed.
    """
    console = console or Console()
    failed = 0
    for finding in findings(config, data, overrides):
        console.print(f"{_WORDS[finding.status]} {escape(finding.text)}", soft_wrap=True, highlight=False)
        failed += finding.status == "fail"
    console.print(f"[red]{failed} failed[/]" if failed else "[green]all good[/]")
    return not failed


def findings(config: str | None, data: str | None, overrides: Sequence[str] = ()) -> Iterator[Check]:
    """Yields the findings one after the other."""
    yield from machine()
    yield from environment()
    if config is None:
        return
    try:
        loaded = load(config, data, overrides)
    except ConfigError as error:
        yield from (Check("fail", problem) for problem in error.problems)
        return
    yield Check("ok", f"{config}: valid; {len(loaded.features)} features, {len(loaded.tasks)} tasks")
    yield from recipe(loaded)
    yield from folders(loaded)
    from tandem.pipeline.doctor.logs import logs  # imports polars and Arrow

    yield from logs(loaded)
