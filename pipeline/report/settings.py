"""What the report of a run has to be told, since it stands in no artifact: settings, layout, versions of the code."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.dates import describe_period
from tandem.components.run_report.settings import LookedUpFeature, OutputSettings, ReportSettings, VocabularySettings
from tandem.models.layout import FeatureLayout
from tandem.pipeline.configuration import yaml_file
from tandem.pipeline.fingerprints import COMPONENTS, PACKAGE, fingerprint

if TYPE_CHECKING:
    from tandem.components.log_example_gen.settings.split import Period
    from tandem.pipeline.configuration.config import Config


def report_settings(config: Config) -> ReportSettings:
    """Returns what the report of a configuration's runs is told."""
    layout = FeatureLayout(config.features)
    return ReportSettings(
        name=config.name,
        outputs=tuple(OutputSettings(**vars(output)) for output in config.task_graph.outputs()),
        group_by=config.evaluation.group_by,
        final_labels_only=config.evaluation.final_labels_only,
        min_examples=config.evaluation.min_examples,
        periods={name: _words(period) for name, period in config.logs.split.periods().items()},
        looked_up=tuple(
            LookedUpFeature(name=feature.name, vocabulary=feature.vocabulary_name, **vars(layout.slots[feature.name]))
            for feature in layout.looked_up()
        ),
        vocabularies=tuple(
            VocabularySettings(
                name=each.name,
                limit=each.size,
                min_count=each.min_count,
                first_oov_row=each.first_oov_row,
                oov_buckets=each.oov_buckets,
            )
            for each in layout.vocabularies.values()
        ),
        ids_width=layout.width,
        configuration=_yaml(config),
        data=config.data_folder,
        commit=commit(),
        code_versions={name: fingerprint(code) for name, code in COMPONENTS.items() if code.modules},
    )


def commit() -> str | None:
    """Returns the commit of this code, and whether files differ from it; None where git does not know it."""
    known = _git("rev-parse", "--short=12", "HEAD")
    if not known:
        return None
    return f"{known} (with changes)" if _git("status", "--porcelain", "--untracked-files=no") else known


def _words(period: Period) -> str:
    """Says what a period holds; a time of day only where it is not midnight."""
    return describe_period(period).replace(" 00:00:00+00:00", "").replace("+00:00", " UTC")


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", "-C", str(PACKAGE), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _yaml(config: Config) -> str:
    """Writes the settings as they came from the file and the command line; defaults are left out."""
    plain = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return yaml_file.dump(plain)
