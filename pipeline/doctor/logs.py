"""Whether the logs are there, and what their first rows come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.sources import LogsError
from tandem.pipeline.doctor.check import Check
from tandem.pipeline.failures import with_advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.plan import Plan
    from tandem.pipeline.configuration.config import Config

MIB = 2**20


def logs(config: Config) -> Iterator[Check]:
    """Looks for files and columns, then at rows."""
    found: list[Plan] = []
    yield from data_files(config, found)
    for plan in found:
        from tandem.pipeline.doctor import first_rows, judgement  # imports Beam

        try:
            taken = first_rows.take(plan)
        except (LogsError, OSError) as error:
            yield Check("fail", str(error))
        else:
            yield from judgement.judge(plan, taken, config.training)


def data_files(config: Config, found: list[Plan] | None = None) -> Iterator[Check]:
    """Whether the logs are there, and have the columns that the configuration names.

    Args:
      config: The configuration.
      found: Where the plan of the ingestion goes, if there is one.
    """
    try:
        plan = make_plan(config.logs, config.columns(), config.labels(), config.data_folder)
    except (LogsError, OSError) as error:
        yield from (Check("fail", line) for line in with_advice(str(error), config).splitlines())
        return
    yield from (Check("warn", remark) for remark in plan.remarks)
    for source in (*plan.streams, *plan.sides):
        size = sum(file.size for file in source.files) / MIB
        many = f"{len(source.files)} file{'s' if len(source.files) != 1 else ''}"
        yield Check("ok", f"{source.name}: {many}, {size:.1f} MiB; read are {', '.join(source.columns)}")
    yield Check("ok", f"all {len(plan.columns)} columns of features, slices and user groups are there")
    if found is not None:
        found.append(plan)
