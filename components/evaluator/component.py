"""The evaluation as a TFX component."""

from __future__ import annotations

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from tandem.components.evaluator.bounds import bounds
from tandem.components.evaluator.executor import Executor

EXTRACTORS_MODULE = "tandem.components.metrics.extractors"


class ModelEvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """The Evaluator's, and the version of the code that evaluates."""

    PARAMETERS = {  # noqa: RUF012 - the base class's protocol
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        "code_version": component_spec.ExecutionParameter(type=str),
    }


class ModelEvaluator(base_beam_component.BaseBeamComponent):
    """Evaluates the candidate, against the last blessed model if there is one, and blesses it or says why not.

    It takes the place of `tfx.components.Evaluator`; consumers of `blessing` and `evaluation` need not know.

    Outputs:
      evaluation: TFMA's results, `metrics.json` and `verdict.json` (see `tandem.components.evaluator.results`).
      blessing: The file BLESSED or NOT_BLESSED; custom properties `blessed` (1 or 0) and `reasons` (a line each).
    """

    SPEC_CLASS = ModelEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: config_pb2.EvalConfig,
        code_version: str,
        baseline_model: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        example_splits: tuple[str, ...] = ("eval",),
    ):
        """Initializes the component.

        Args:
          examples: Raw examples with label columns.
          model: The candidate: a SavedModel whose `serving_default` takes serialized examples.
          eval_config: See `tandem.components.evaluator.eval_config.eval_config`.
          code_version: Changes when the code of the evaluation does, so that results are not taken from the cache.
          baseline_model: The last blessed model; its custom property `has_model` is 0 where there is none.
          schema: Of the examples; columns are read without, too.
          example_splits: The splits that the model is judged on.

        Raises:
          ValueError: There is no threshold.
        """
        if not bounds(eval_config):
            raise ValueError("eval_config has no threshold: every model would be blessed; give at least one")
        spec = ModelEvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            schema=schema,
            eval_config=eval_config,
            example_splits=json_utils.dumps(list(example_splits)),
            fairness_indicator_thresholds=json_utils.dumps(None),
            module_path=EXTRACTORS_MODULE,
            code_version=code_version,
            evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        )
        super().__init__(spec=spec)
