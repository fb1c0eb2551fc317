"""The typed configuration: one YAML file per data set.

A mistake in a file (an unknown key, a bad value, settings that contradict each other) is reported with all others in
one `ConfigError`, each with the place, what was received and what is allowed. Reading a configuration imports neither
TensorFlow nor TFX.

What a file reads (`data_dir`, `schema_file`) is relative to the file; what a run writes (`output`, `push.directory`) is
relative to the folder that the command is typed in.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from tandem.components.evaluator.settings import EvaluationSettings
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.models.features import Feature
from tandem.models.settings import ModelSettings, TrainingSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.pipeline.configuration import built_in, feature_lists, yaml_file
from tandem.pipeline.configuration.columns import columns, uses, uses_of_weights
from tandem.pipeline.configuration.contradictions import contradictions
from tandem.pipeline.configuration.errors import ConfigError
from tandem.settings import Settings
from tandem.validation.draft import Draft, Unclear
from tandem.validation.places import Path as KeyPath
from tandem.validation.places import Problem, key_path
from tandem.validation.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Config", "ConfigError", "load"]

DATA_VARIABLE = "TANDEM_DATA"
_NO_LINE = sys.maxsize  # what stands nowhere comes last


class StatisticsSettings(Settings):
    """How much of the examples the statistics look at, and what comes of rows that have moved."""

    sample_rate: float | None = Field(default=None, gt=0, le=1)
    """Share of the rows that the statistics look at. None: all."""

    skew: Literal["stop", "report"] = "stop"
    """What becomes of a run whose evaluation days are further from its training days than the schema allows: `stop`, or
    `report`, which only says so.
    """

    drift: Literal["stop", "report"] = "stop"
    """The same, `stop` or `report`, where training days are too far from those accepted last."""


class PushSettings(Settings):
    """Where a blessed model goes."""

    directory: str | None = Field(default=None, min_length=1)
    """The folder that holds the models, on a mounted file system (no object store: a rename must be one step). None:
    `models` in the output folder.
    """

    model_name: str | None = None
    """The model's folder in there, which a model server watches: letters, digits, `_` and `-`. None: the
    configuration's `name`.
    """

    @field_validator("model_name")
    @classmethod
    def _folder_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError("a model's name is made of letters, digits, '_' and '-'")
        return name


class BeamSettings(Settings):
    """Where and how the data stages run: Beam's own flags."""

    args: tuple[str, ...] = ("--direct_running_mode=in_memory", "--direct_num_workers=1")
    """Apache Beam's own flags: where and how the data stages run. The default is in this process."""


class Config(Settings):
    """One data set: its logs, what the model looks at, what it predicts, and when it is good enough to be pushed."""

    name: str
    """Names the pipeline and the default folders: lower-case letters, digits and underscores, a letter first."""

    logs: LogSettings
    """The logs: streams or a table, how they are joined, which rows train and which judge."""

    features: tuple[Feature, ...] = Field(min_length=1)
    """What the model looks at."""

    tasks: tuple[Task, ...] = Field(min_length=1)
    """What the model predicts."""

    model: ModelSettings = ModelSettings()
    """The recipe and its sizes."""

    training: TrainingSettings = TrainingSettings()
    """How long the model is trained, and how fast."""

    evaluation: EvaluationSettings
    """Users, slices, and the thresholds that a model must keep to be pushed."""

    schema_file: str | None = None
    """A curated schema in protobuf's text format. None: a schema is inferred from the data of the run; then the example
    validator has little to compare with.
    """

    statistics: StatisticsSettings = StatisticsSettings()
    """What the statistics look at, and what becomes of a run whose data have moved."""

    push: PushSettings = PushSettings()
    """Where a blessed model goes, and under which name."""

    beam: BeamSettings = BeamSettings()
    """Where and how the data stages run."""

    output: str | None = None
    """The folder of a run's artifacts, metadata and logs. None: `runs/<name>`. `--output` comes before it."""

    data_dir: str | None = None
    """The folder of the logs, or a URI. `--data PATH` and the environment variable TANDEM_DATA come before it; one of
    the three is needed.
    """

    _file: Path = PrivateAttr(default=Path("configuration"))

    @field_validator("name")
    @classmethod
    def _identifier(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError("expected lower-case letters, digits and underscores, a letter first")
        return name

    @property
    def file(self) -> Path:
        """The file it was read from."""
        return self._file

    @property
    def task_graph(self) -> TaskGraph:
        """The tasks, parents first."""
        return TaskGraph(self.tasks)

    @property
    def data_folder(self) -> str:
        """The folder of the logs, absolute; a remote one (`gs://...`) as it is."""
        return str(self.data_dir)

    @property
    def output_dir(self) -> Path:
        """The folder of a run's artifacts, metadata and logs, absolute."""
        return _absolute(Path(self.output or f"runs/{self.name}"))

    @property
    def push_dir(self) -> Path:
        """The folder a model server watches, absolute."""
        return _absolute(Path(self.push.directory)) if self.push.directory else self.output_dir / "models"

    @property
    def model_name(self) -> str:
        """The pushed model's name."""
        return self.push.model_name or self.name

    @property
    def schema_path(self) -> Path | None:
        """The curated schema, absolute; None where it is inferred."""
        return None if self.schema_file is None else _absolute(self._file.parent / self.schema_file)

    def columns(self) -> dict[str, ExampleColumn]:
        """Returns the columns that the examples need: those of features, slices, user groups and weights.

        Raises:
          ConfigError: A column is asked for in two ways.
        """
        evaluation = self.evaluation
        asked = uses(enumerate(self.features), enumerate(evaluation.slices), evaluation.group_by)
        weights = uses_of_weights(self.logs.weight_place, enumerate(self.tasks))
        found, problems = columns((*asked, *weights))
        if problems:
            raise ConfigError(f"{key_path(path, None)}: {sentence}" for path, sentence in problems)
        return found

    def weights(self) -> dict[str, tuple[str, ...]]:
        """Returns, by task, parents first, the columns whose product weighs its rows; none: all rows alike."""
        return self.task_graph.weights(self.logs.weight)

    def labels(self) -> list[Label]:
        """Returns the labels that the examples need, parents first."""
        graph = self.task_graph
        return [
            Label(name=graph.label(task.name), parent=graph.label(task.given) if task.given else None) for task in graph
        ]


def load(
    path: str | os.PathLike[str],
    data: str | None = None,
    overrides: Sequence[str] = (),
    output: str | None = None,
    look_into_logs: bool = True,
) -> Config:
    """Reads and checks a configuration file.

    Args:
      path: The YAML file, or the name of a configuration that comes with Tandem, such as `sample`.
      data: The folder of the logs; None: the environment variable TANDEM_DATA, else `data_dir` of the file. A
        configuration that comes with Tandem, called by its name, does not know where the logs are.
      overrides: `key=value`, as `training.max_steps=1` or `features[0].min_count=5`; the value is YAML.
      output: Replaces `output` of the file.
      look_into_logs: Whether the headers of the logs are read where the file says "all other columns". If not, that is
        one feature, of no column: for whoever asks for something else than features.

    Raises:
      ConfigError: All problems of the file at once.
    """
    file = Path(path)
    known = None if file.is_file() else built_in.find(str(path))
    file = known or file
    raw, lines = _read(file)
    if known:
        raw.pop("data_dir", None)
    overridden = _override(raw, overrides)
    data = data or os.environ.get(DATA_VARIABLE) or None
    if data is None and isinstance(raw.get("data_dir"), str):
        data = _joined(file.parent, raw["data_dir"])
    settings = {
        **raw,
        **({"data_dir": _joined(Path.cwd(), data)} if data else {}),
        **({"output": output} if output else {}),
    }

    def others(named: Sequence[str]) -> Sequence[str] | None:
        draft = Draft(Config, {**settings, "features": []})
        return feature_lists.columns_left(draft, named) if look_into_logs else None

    expanded = feature_lists.expand(raw.get("features"), others)
    draft = Draft(Config, {**settings, "features": expanded.features} if "features" in raw else settings)
    found = [*_with_advice(draft.problems, raw), *contradictions(draft, file.parent)]
    problems = dict.fromkeys([*expanded.problems, *((expanded.in_file(path), sentence) for path, sentence in found)])
    with suppress(Unclear):
        if draft.read("data_dir") is None:
            ways = ["give --data PATH", f"set {DATA_VARIABLE}", *(() if known else ("write 'data_dir' into the file",))]
            advice = " or ".join(ways)
            problems[(), f"no data folder: {advice}"] = None
    if problems or draft.settings is None:
        places = _Places(file, lines, overridden)
        raise ConfigError(
            f"{places.name(path)}: {f'{key_path(path, raw)}: ' if path else ''}{sentence}"
            for path, sentence in sorted(problems, key=lambda problem: places.line(problem[0]))
        )
    draft.settings.__pydantic_private__ = {"_file": file}
    return draft.settings


# --- Reading ---


def _read(file: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        raw, lines = yaml_file.read(file, _is_value_of_a_slice)
    except yaml_file.YamlError as error:
        raise ConfigError([f"{file}:{error.line}: {error}"]) from error
    except OSError as error:
        hint = f". Those that come with Tandem: {', '.join(built_in.names())}" if file.name == str(file) else ""
        raise ConfigError([f"{file}: cannot be read: {error.strerror}{hint}"]) from error
    if not isinstance(raw, dict):
        raise ConfigError([f"{file}: got {shown(raw)}, expected a mapping (key: value)"])
    return raw, lines


def _is_value_of_a_slice(below: KeyPath, above: KeyPath = ()) -> bool:
    """Whether a word is a value of a column of the logs, and so a text: `true`, `007` and `1.50` as they stand."""
    path = (*above, *below)
    return len(path) == 5 and path[:2] == ("evaluation", "thresholds") and path[3] == "slice"


def _joined(folder: Path, path: str) -> str:
    return path if "://" in path else str(_absolute(folder / path))


def _absolute(path: Path) -> Path:
    """Makes a path absolute, without `..`; links stay as they are."""
    return Path(os.path.normpath(path.absolute()))


def _override(raw: dict[str, Any], overrides: Sequence[str]) -> set[KeyPath]:
    """Writes `key=value` into the raw settings; returns the paths written."""
    written: set[KeyPath] = set()
    problems = []
    for override in overrides:
        key, equals, text = override.partition("=")
        try:
            if not equals or not re.fullmatch(r"[A-Za-z_]\w*(\[\d+\]|\.\w+)*", key):
                raise ValueError("expected key=value, such as training.max_steps=1 or features[0].min_count=5")
            where = tuple(int(part[1:-1]) if part[0] == "[" else part for part in re.findall(r"\[\d+\]|\w+", key))
            _put(raw, where, yaml_file.scalar(text, functools.partial(_is_value_of_a_slice, above=where)))
            written.add(where)
        except ValueError as error:
            problems.append(f"--set {override}: {error}")
    if problems:
        raise ConfigError(problems)
    return written


def _put(raw: Any, where: KeyPath, value: Any) -> None:
    for key, following in zip(where, [*where[1:], None], strict=True):
        if isinstance(raw, list):
            if not isinstance(key, int) or key >= len(raw):
                raise ValueError(f"the list before '{key}' has elements [0] to [{len(raw) - 1}]")
        elif not isinstance(raw, dict):
            raise ValueError(f"there are no keys below {shown(raw)}, so no '{key}'")
        elif isinstance(key, int):
            raise ValueError(f"[{key}] is an element of a list, but there is a mapping")
        if following is None:
            raw[key] = value
        else:
            if isinstance(raw, dict) and raw.get(key) is None:
                raw[key] = {}
            raw = raw[key]


class _Places:
    """Where in the file and on the command line the settings stand."""

    def __init__(self, file: Path, lines: dict[KeyPath, int], overridden: set[KeyPath]):
        self._file = file
        self._lines = lines
        self._overridden = overridden

    def line(self, where: KeyPath) -> int:
        """Returns the line of the nearest key that is in the file; a large number where there is none."""
        return next((self._lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self._lines), _NO_LINE)

    def name(self, where: KeyPath) -> str:
        """Returns file:line, or the override that brought the key."""
        if any(where[: len(key)] == key for key in self._overridden):
            return "--set"
        line = self.line(where)
        found = str(self._file) if line == _NO_LINE else f"{self._file}:{line}"
        return f"{found} with --set" if any(key[: len(where)] == where for key in self._overridden) else found


def _with_advice(problems: Iterable[Problem], raw: dict[str, Any]) -> Iterator[Problem]:
    """Says why there must be a threshold, and what to write, where it is only said that there is none."""
    evaluation: Any = raw.get("evaluation")
    tasks = raw.get("tasks")
    first = tasks[0] if isinstance(tasks, list) and tasks and isinstance(tasks[0], dict) else {}
    example = f"thresholds: [{{metric: auc, output: {first.get('name', 'TASK')}, at_least: 0.6}}]"
    why = "there is no threshold, so every model would be pushed, however bad; say what a model has to keep, such as"
    for path, sentence in problems:
        if path == ("evaluation",) and evaluation is None:
            yield path, f"{why} evaluation: {{{example}}}"
        elif path == ("evaluation", "thresholds") and not evaluation.get("thresholds"):
            yield path, f"{why} {example}"
        else:
            yield path, sentence
