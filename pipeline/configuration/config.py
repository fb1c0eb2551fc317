"""The typed configuration: one YAML file per data set.

A mistake in a file (an unknown key, a bad value, settings that contradict each other) is reported with all others in
one `ConfigError`, each with the place, what was received and what is allowed. Reading a configuration imports neither
TensorFlow nor TFX.

What a file reads (`data_dir`, `schema_file`) is relative to the file; what a run writes (`output`, `push.directory`) is
relative to the folder that the command is typed in.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, PrivateAttr, ValidationError, field_validator

from tandem.components.evaluator.settings import Activity, Buckets, EvaluationSettings, column_of
from tandem.components.log_example_gen.settings import ExampleColumn, Label, LogSettings
from tandem.models.features import BagFeature, Feature, FeatureLayout, NumericFeature
from tandem.models.settings import ModelSettings, TrainingSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.pipeline.configuration import errors, yaml_file
from tandem.pipeline.configuration.errors import ConfigError
from tandem.settings import Settings

__all__ = ["Config", "ConfigError", "load"]

DATA_VARIABLE = "TANDEM_DATA"


class StatisticsSettings(Settings):
    """How much of the examples the statistics look at, and what comes of rows that have moved."""

    sample_rate: float | None = Field(default=None, gt=0, le=1)
    """Share of the rows; None: all of them."""

    skew: Literal["stop", "report"] = "stop"
    """Whether the run stops when evaluation days are further from the training days than the schema allows."""

    drift: Literal["stop", "report"] = "stop"
    """Whether it stops when training days are further from those accepted last."""


class PushSettings(Settings):
    """Where a blessed model goes."""

    directory: str | None = Field(default=None, min_length=1)
    """The folder a model server watches; None: `models` in the output folder."""

    model_name: str | None = None
    """Its folder in there; None: the configuration's name."""

    @field_validator("model_name")
    @classmethod
    def _folder_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError("a model's name is made of letters, digits, '_' and '-'")
        return name


class BeamSettings(Settings):
    """Where and how the data stages run: Beam's own flags."""

    args: tuple[str, ...] = ("--direct_running_mode=in_memory", "--direct_num_workers=1")
    """Flags, as Beam's documentation lists them."""


class Config(Settings):
    """A configuration file. `load` reads one."""

    name: str
    """Of the pipeline; made of lower-case letters, digits and underscores."""

    logs: LogSettings
    """The streams, how they are joined, the split."""

    features: tuple[Feature, ...] = Field(min_length=1)
    """What the model looks at."""

    tasks: tuple[Task, ...] = Field(min_length=1)
    """What it predicts."""

    model: ModelSettings = ModelSettings()
    """The recipe and its sizes."""

    training: TrainingSettings = TrainingSettings()
    """How long, how fast."""

    evaluation: EvaluationSettings
    """User groups, slices, thresholds."""

    schema_file: str | None = None
    """A curated schema (pbtxt); None: inferred from the examples, which finds no anomaly but wrong types."""

    statistics: StatisticsSettings = StatisticsSettings()
    """See `StatisticsSettings`."""

    push: PushSettings = PushSettings()
    """See `PushSettings`."""

    beam: BeamSettings = BeamSettings()
    """See `BeamSettings`."""

    output: str | None = None
    """The folder of a run's artifacts, metadata and logs; None: `runs/<name>`."""

    data_dir: str | None = None
    """The folder of the logs; `--data` and the environment variable TANDEM_DATA come first."""

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
        return Path(os.path.abspath(self.output or f"runs/{self.name}"))

    @property
    def push_dir(self) -> Path:
        """The folder a model server watches, absolute."""
        return Path(os.path.abspath(self.push.directory)) if self.push.directory else self.output_dir / "models"

    @property
    def model_name(self) -> str:
        """The pushed model's name."""
        return self.push.model_name or self.name

    @property
    def schema_path(self) -> Path | None:
        """The curated schema, absolute; None where it is inferred."""
        return None if self.schema_file is None else Path(os.path.abspath(self._file.parent / self.schema_file))

    def columns(self) -> dict[str, ExampleColumn]:
        """Returns the columns that the examples need: those of the features, the slices and the user groups.

        Raises:
          ConfigError: A column is asked for in two ways.
        """
        columns, problems = _columns(self)
        if problems:
            raise ConfigError(f"{errors.key_path(path, None)}: {message}" for path, message in problems)
        return columns

    def labels(self) -> list[Label]:
        """Returns the labels that the examples need, parents first."""
        graph = self.task_graph
        return [
            Label(name=graph.label(task.name), parent=graph.label(task.given) if task.given else None) for task in graph
        ]


def load(
    path: str | os.PathLike[str], data: str | None = None, overrides: Sequence[str] = (), output: str | None = None
) -> Config:
    """Reads and checks a configuration file.

    Args:
      path: The YAML file.
      data: The folder of the logs; None: the environment variable TANDEM_DATA, else `data_dir` of the file.
      overrides: `key=value`, as `training.max_steps=1` or `features[0].min_count=5`; the value is YAML.
      output: Replaces `output` of the file.

    Raises:
      ConfigError: All problems of the file at once.
    """
    file = Path(path)
    raw, lines = _read(file)
    overridden = _override(raw, overrides)
    data = data or os.environ.get(DATA_VARIABLE) or None

    def place(where: tuple[str | int, ...]) -> str:
        """file:line, of the nearest key that is there, or the override that brought the key."""
        if any(where[: len(key)] == key for key in overridden):
            return "--set"
        nearest = next((where[:n] for n in range(len(where), 0, -1) if where[:n] in lines), None)
        found = f"{file}:{lines[nearest]}" if nearest else str(file)
        return f"{found} with --set" if any(key[: len(where)] == where for key in overridden) else found

    def lined(problems: Iterable[tuple[tuple[str | int, ...], str]]) -> list[str]:
        return [f"{place(where)}: {errors.key_path(where, raw)}: {message}" for where, message in problems]

    if data is None and isinstance(raw.get("data_dir"), str):
        data = _joined(file.parent, raw["data_dir"])
    settings = {
        **raw,
        **({"data_dir": _joined(Path.cwd(), data)} if data else {}),
        **({"output": output} if output else {}),
    }
    try:
        config = Config.model_validate_json(json.dumps(settings, default=str), strict=True)
    except ValidationError as error:
        found = dict(errors.explain(error, Config, settings))
        raise ConfigError(lined((found | _no_threshold(raw)).items())) from None
    config.__pydantic_private__ = {"_file": file}
    problems = lined(_contradictions(config))
    if data is None:
        problems.append(
            f"{file}: no data folder: give --data PATH, set {DATA_VARIABLE}, or write 'data_dir' into the file"
        )
    if problems:
        raise ConfigError(problems)
    return config


# --- Reading ---


def _read(file: Path) -> tuple[dict[str, Any], dict[yaml_file.Path, int]]:
    try:
        raw, lines = yaml_file.read(file)
    except yaml_file.YamlError as error:
        raise ConfigError([f"{file}:{error.line}: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from error
    if not isinstance(raw, dict):
        raise ConfigError([f"{file}: got {errors.shown(raw)}, expected a mapping (key: value)"])
    return raw, lines


def _joined(folder: Path, path: str) -> str:
    return path if "://" in path else os.path.abspath(folder / path)


def _override(raw: dict[str, Any], overrides: Sequence[str]) -> set[yaml_file.Path]:
    """Writes `key=value` into the raw settings; returns the paths written."""
    written: set[yaml_file.Path] = set()
    problems = []
    for override in overrides:
        key, equals, text = override.partition("=")
        try:
            if not equals or not re.fullmatch(r"[A-Za-z_]\w*(\[\d+\]|\.\w+)*", key):
                raise ValueError("expected key=value, such as training.max_steps=1 or features[0].min_count=5")
            where = tuple(int(part[1:-1]) if part[0] == "[" else part for part in re.findall(r"\[\d+\]|\w+", key))
            _put(raw, where, yaml_file.scalar(text))
            written.add(where)
        except ValueError as error:
            problems.append(f"--set {override}: {error}")
    if problems:
        raise ConfigError(problems)
    return written


def _put(raw: Any, where: yaml_file.Path, value: Any) -> None:
    for key, following in zip(where, [*where[1:], None], strict=True):
        if isinstance(raw, list):
            if not isinstance(key, int) or key >= len(raw):
                raise ValueError(f"the list before '{key}' has elements [0] to [{len(raw) - 1}]")
        elif not isinstance(raw, dict):
            raise ValueError(f"there are no keys below {errors.shown(raw)}, so no '{key}'")
        elif isinstance(key, int):
            raise ValueError(f"[{key}] is an element of a list, but there is a mapping")
        if following is None:
            raw[key] = value
        else:
            if isinstance(raw, dict) and raw.get(key) is None:
                raw[key] = {}
            raw = raw[key]


def _no_threshold(raw: dict[str, Any]) -> dict[yaml_file.Path, str]:
    """What to say where there is no threshold: why not, and what to write."""
    evaluation = raw.get("evaluation")
    if evaluation is not None and not (isinstance(evaluation, dict) and not evaluation.get("thresholds")):
        return {}
    place = ("evaluation",) if evaluation is None else ("evaluation", "thresholds")
    tasks = raw.get("tasks")
    first = tasks[0] if isinstance(tasks, list) and tasks and isinstance(tasks[0], dict) else {}
    example = f"thresholds: [{{metric: auc, output: {first.get('name', 'TASK')}, at_least: 0.6}}]"
    why = "there is no threshold, so every model would be pushed, however bad; say what a model has to keep, such as"
    return {place: f"{why} {f'evaluation: {{{example}}}' if evaluation is None else example}"}


# --- Settings that contradict each other ---

_Problem = tuple[yaml_file.Path, str]


def _contradictions(config: Config) -> Iterator[_Problem]:
    try:
        graph = config.task_graph
        yield from _about_outputs(config, graph)
    except ValueError as error:
        yield ("tasks",), str(error)
    try:
        FeatureLayout(config.features)
    except ValueError as error:
        yield ("features",), str(error)
    yield from _columns(config)[1]
    yield from _known_too_late(config)
    yield from _about_labels(config)
    yield from _about_stopping(config)
    if config.schema_path is not None and not config.schema_path.is_file():
        yield ("schema_file",), f"there is no file {config.schema_path}"


class _Use(NamedTuple):
    """A column that somebody wants in the examples."""

    place: yaml_file.Path
    user: str
    column: str
    wanted: ExampleColumn


def _uses(config: Config) -> Iterator[_Use]:
    for index, feature in enumerate(config.features):
        place = ("features", index, "column" if feature.column else "name")
        kind: Literal["float", "bytes"] = "float" if isinstance(feature, NumericFeature) else "bytes"
        separator = feature.separator if isinstance(feature, BagFeature) else None
        yield _Use(place, f"feature '{feature.name}'", feature.source, ExampleColumn(kind=kind, separator=separator))
    for index, slicing in enumerate(config.evaluation.slices):
        for dimension in slicing:
            if not isinstance(dimension, Activity):
                wanted = ExampleColumn(kind="float" if isinstance(dimension, Buckets) else "bytes")
                user = f"evaluation.slices[{index}]"
                yield _Use(("evaluation", "slices", index), user, column_of(dimension), wanted)
    yield _Use(
        ("evaluation", "group_by"), "evaluation.group_by", config.evaluation.group_by, ExampleColumn(kind="bytes")
    )


def _columns(config: Config) -> tuple[dict[str, ExampleColumn], list[_Problem]]:
    """The columns of the examples. A slice takes a column as a feature reads it: a bag's values, each for itself."""
    first: dict[str, _Use] = {}
    problems: list[_Problem] = []
    for use in _uses(config):
        known = first.setdefault(use.column, use)
        is_slice = use.place[0] == "evaluation"
        if use.wanted.kind != known.wanted.kind or (use.wanted.separator != known.wanted.separator and not is_slice):
            twice = f"as {_words(use.wanted)}, {known.user} as {_words(known.wanted)}"
            message = f"{use.user} asks for column '{use.column}' {twice}; a column of the examples has one form"
            problems.append((use.place, message))
    return {use.column: use.wanted for use in first.values()}, problems


def _words(column: ExampleColumn) -> str:
    if column.kind == "bytes":
        return "categories" + (f" separated by {column.separator!r}" if column.separator else "")
    return "numbers"


def _known_too_late(config: Config) -> Iterator[_Problem]:
    """Columns that are not known when the model has to answer, or that say what it has to answer."""
    logs = config.logs
    reasons = {task.label or task.name: "is a label" for task in config.tasks}
    if logs.clicks is not None:
        reasons[logs.clicks.label] = "is a label"
    if logs.conversions is not None and logs.conversions.event is not None:
        reasons[logs.conversions.event] = "is the kind of a conversion"
    if logs.join is not None and logs.join.attribution == "impression_id":
        reasons |= dict.fromkeys(logs.join.on, "names one impression (logs.join.on)")
    reasons |= dict.fromkeys(logs.post_impression, "is known only after the impression (logs.post_impression)")
    for use in _uses(config):
        if use.column in reasons:
            yield use.place, f"{use.user} is made of column '{use.column}', which {reasons[use.column]}"


def _about_labels(config: Config) -> Iterator[_Problem]:
    """Labels that two tasks share, or that the streams do not bring."""
    logs = config.logs
    labels = [task.label or task.name for task in config.tasks]
    known = None
    if logs.clicks is not None and (logs.conversions is None or logs.conversions.label is not None):
        known = [logs.clicks.label, *([logs.conversions.label or ""] if logs.conversions else [])]
    for index, label in enumerate(labels):
        place = ("tasks", index, "label" if config.tasks[index].label != config.tasks[index].name else "name")
        if label in labels[:index]:
            yield place, f"label '{label}' is already the label of task '{config.tasks[labels.index(label)].name}'"
        if known is not None and label not in known:
            yield place, f"no stream of the logs sets a label '{label}'; there are {', '.join(known)}"


def _about_stopping(config: Config) -> Iterator[_Problem]:
    stopping = config.training.early_stopping
    if stopping is None:
        return
    if config.logs.split.validation is None:
        yield (
            ("training", "early_stopping"),
            "needs a 'validation' part in logs.split: the evaluation must not choose the model",
        )
    names = [task.name for task in config.tasks]
    if stopping.task is not None and stopping.task not in names:
        yield ("training", "early_stopping", "task"), errors.unknown("task", stopping.task, names)


def _about_outputs(config: Config, graph: TaskGraph) -> Iterator[_Problem]:
    outputs = [output.name for output in graph.outputs()]
    for index, threshold in enumerate(config.evaluation.thresholds):
        if threshold.output not in outputs:
            yield (
                ("evaluation", "thresholds", index, "output"),
                errors.unknown("output", threshold.output, outputs),
            )
