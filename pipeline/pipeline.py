"""The pipeline: its components in the order in which the data flows.

Every component is given exactly the settings it depends on, and a fingerprint of the code and the libraries that it
runs. A finished component is reused until one of these, or its input, changes: a new threshold evaluates again and
trains nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tensorflow_data_validation import StatsOptions
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2

from tandem.components.blessed_model.component import BlessedModel
from tandem.components.curated_schema.component import CuratedSchema
from tandem.components.evaluator.component import ModelEvaluator
from tandem.components.evaluator.plan import EvaluationPlan, evaluation_plan
from tandem.components.example_validator.component import ExampleValidator
from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.settings.columns import IMPRESSION_TIME, OBSERVED_UNTIL, own_columns, time_column
from tandem.components.pusher.component import AtomicPusher
from tandem.components.run_report.component import RunReport
from tandem.models import recipe_check
from tandem.models.recipes import RECIPES
from tandem.pipeline import fingerprints
from tandem.pipeline.report.settings import report_settings

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_node import BaseNode
    from tfx.types import BaseChannel

    from tandem.pipeline.configuration.config import Config

_ARGS: Any = trainer_pb2  # generated: type checkers see nothing in it


def create_pipeline(
    config: Config,
    root: str,
    metadata: Any = None,
    checkpoint_dir: str | None = None,
    digest_index: str | None = None,
) -> Pipeline:
    """Builds the pipeline of a configuration, with fresh component objects.

    Args:
      config: What to run.
      root: The folder of all artifacts.
      metadata: The metadata store, a `metadata_store_pb2.ConnectionConfig`; None where the platform has its own.
      checkpoint_dir: Where unfinished training is kept, for platforms that give every run output folders of its own;
        None: beside the trainer's outputs.
      digest_index: A file that keeps the digests of the logs' files; None: all logs are read to see whether they have
        changed.

    Raises:
      ValueError: The model's settings cannot be built, or files of the logs are missing.
    """
    recipe_check.checked(config.model, config.task_graph)
    data = _data_part(config, digest_index, reads_ages(config))
    components = [*data.components, *_model_part(config, data, checkpoint_dir)]
    return _pipeline(config, components, root, metadata)


def create_data_pipeline(
    config: Config, root: str, metadata: Any = None, digest_index: str | None = None, ages: bool | None = None
) -> Pipeline:
    """Builds the pipeline up to the transformed examples; it shares finished components with the whole one.

    Args:
      config: What to run.
      root: As in `create_pipeline`.
      metadata: As in `create_pipeline`.
      digest_index: As in `create_pipeline`.
      ages: Whether the examples say how old labels are; None: where the configuration's recipe reads it.

    Raises:
      ValueError: Files of the logs are missing, or a labelled table is asked for ages.
    """
    ages = reads_ages(config) if ages is None else ages
    return _pipeline(config, _data_part(config, digest_index, ages).components, root, metadata)


class _DataPart(NamedTuple):
    """The components from the logs to the transformed examples, and those of them that the model is made from."""

    components: list[BaseNode]
    examples: BaseNode
    statistics: BaseNode
    schema: BaseNode
    validator: BaseNode
    transform: BaseNode


def _data_part(config: Config, digest_index: str | None, ages: bool) -> _DataPart:
    examples = LogExampleGen(
        logs=config.logs,
        columns=config.columns(),
        labels=config.labels(),
        data_dir=config.data_folder,
        observed_until=ages,
        digest_index=digest_index,
    )
    statistics = StatisticsGen(examples=examples.outputs["examples"], stats_options=_stats_options(config))
    schema = _schema(config, statistics.outputs["statistics"], ages)
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        schema_file=None if config.schema_path is None else str(config.schema_path),
        skew=config.statistics.skew,
        drift=config.statistics.drift,
        statistics_dir=str(config.output_dir / "statistics"),
    )
    transform = Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="tandem.models.preprocessing.preprocessing_fn",
        custom_config=transform_settings(config, ages),
        disable_statistics=True,
    )
    transform.add_upstream_node(validator)  # where components run side by side, an anomaly stops the rest
    parts = (examples, statistics, schema, validator, transform)
    return _DataPart(list(parts), *parts)


def _model_part(config: Config, data: _DataPart, checkpoint_dir: str | None) -> list[BaseNode]:
    trainer = Trainer(
        run_fn="tandem.models.training.trainer.run_fn",
        examples=data.transform.outputs["transformed_examples"],
        transform_graph=data.transform.outputs["transform_graph"],
        schema=data.schema.outputs["schema"],
        train_args=_ARGS.TrainArgs(splits=["train"]),
        eval_args=_ARGS.EvalArgs(splits=["validation" if config.logs.split.validation else "eval"]),
        custom_config={**trainer_settings(config), "checkpoint_dir": checkpoint_dir},
    )
    baseline = BlessedModel(model=trainer.outputs["model"], push_dir=str(config.push_dir), model_name=config.model_name)
    evaluator = ModelEvaluator(
        examples=data.examples.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["blessed_model"],
        plan=_evaluation_plan(config),
    )
    pusher = AtomicPusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_dir=str(config.push_dir),
        model_name=config.model_name,
    )
    report = RunReport(
        settings=report_settings(config),
        evaluation=evaluator.outputs["evaluation"],
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        baseline=baseline.outputs["blessed_model"],
        pushed_model=pusher.outputs["pushed_model"],
        examples=data.examples.outputs["examples"],
        quarantine=data.examples.outputs["quarantine"],
        statistics=data.statistics.outputs["statistics"],
        schema=data.schema.outputs["schema"],
        anomalies=data.validator.outputs["anomalies"],
        transform_graph=data.transform.outputs["transform_graph"],
        transformed_examples=data.transform.outputs["transformed_examples"],
    )
    return [trainer, baseline, evaluator, pusher, report]


PLACES = {"LogExampleGen": ("data_dir",), "ExampleValidator": ("schema_file", "statistics_dir")}
"""By component, the properties that say where something lies. What lies there is told by others."""


def set_apart(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Takes the places out of the components, so that no finished result is lost when something is moved.

    It is for runners that can give them to the executors all the same (see `tandem.pipeline.local.dag_runner`).

    Args:
      pipeline: Not compiled yet.

    Returns:
      By component, the properties taken.
    """
    return {
        component.id: {name: component.exec_properties.pop(name) for name in PLACES[component.id]}
        for component in pipeline.components
        if component.id in PLACES
    }


def _pipeline(config: Config, components: list[BaseNode], root: str, metadata: Any) -> Pipeline:
    fingerprints.stamp(components)
    return Pipeline(
        pipeline_name=config.name.replace("_", "-"),  # Kubeflow's names have no underscore
        pipeline_root=root,
        components=components,
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(config.beam.args),
    )


def reads_ages(config: Config) -> bool:
    """Whether the recipe of a configuration reads how old labels are."""
    return RECIPES[config.model.recipe].reads_ages


def transform_settings(config: Config, ages: bool = False) -> dict[str, Any]:
    """What the transform graph depends on.

    Args:
      config: The configuration.
      ages: Whether it gives the ages of labels.
    """
    labels = config.task_graph.labels
    columns = {"shown": IMPRESSION_TIME, "set": [time_column(label) for label in labels], "until": OBSERVED_UNTIL}
    return {
        "features": [feature.model_dump(mode="json", exclude={"embedding_dim"}) for feature in config.features],
        "labels": list(labels),
        "weights": [list(names) for names in config.weights().values()],
        "ages": columns if ages else None,
    }


def trainer_settings(config: Config) -> dict[str, Any]:
    """What training depends on."""
    return {
        "features": [feature.model_dump(mode="json") for feature in config.features],
        "tasks": [task.model_dump(mode="json") for task in config.tasks],
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json"),
        "has_validation": config.logs.split.validation is not None,
        "weighted": any(config.weights().values()),
        "aged": reads_ages(config),
        "code_version": fingerprints.fingerprint(fingerprints.COMPONENTS["Trainer"]),
    }


def _evaluation_plan(config: Config) -> EvaluationPlan:
    graph = config.task_graph
    return evaluation_plan(config.evaluation, graph, config.logs.label_delays(graph.labels), weights_of_outputs(config))


def weights_of_outputs(config: Config) -> dict[str, tuple[str, ...]]:
    """Returns, by output of the model, the columns whose product weighs its rows: those of its task."""
    weights = config.weights()
    return {output.name: weights[output.task] for output in config.task_graph.outputs()}


def _schema(config: Config, statistics: BaseChannel[Any], ages: bool) -> BaseNode:
    """The curated schema, or one inferred from the data."""
    if config.schema_path is not None:
        own = own_columns(config.logs, config.task_graph.labels, observed_until=ages)
        try:
            return CuratedSchema(config.schema_path.read_text(encoding="utf-8"), own)
        except ValueError as error:
            raise ValueError(f"{config.schema_path}: {error}") from error
    return SchemaGen(statistics=statistics, infer_feature_shape=False)


def _stats_options(config: Config) -> StatsOptions | None:
    rate = config.statistics.sample_rate
    return None if rate is None else StatsOptions(sample_rate=rate)
