"""The evaluation as a TFX component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.system_executions import Evaluate
from tfx.utils import json_utils

from tandem.components.evaluator.executor import PLAN_KEY, Executor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.components.evaluator.plan import EvaluationPlan


class ModelEvaluatorSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of the evaluator."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        PLAN_KEY: ExecutionParameter(type=str),
        keys.EXAMPLE_SPLITS_KEY: ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        keys.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        keys.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        keys.BASELINE_MODEL_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {
        keys.EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        keys.BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    TYPE_ANNOTATION = Evaluate


class ModelEvaluator(base_beam_component.BaseBeamComponent):
    """Evaluates the candidate, against the last blessed model if there is one, and blesses it or says why not.

    It takes the place of `tfx.components.Evaluator`; consumers of `blessing` and `evaluation` need not know.

    Outputs:
      evaluation: `metrics.json`, `curves.json` and `verdict.json` (see `tandem.components.evaluator.results`), and
        files for TFMA's loaders.
      blessing: The file BLESSED or NOT_BLESSED; custom properties `blessed` (1 or 0) and `reasons` (a line each).
    """

    SPEC_CLASS = ModelEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel[Any],
        model: types.BaseChannel[Any],
        plan: EvaluationPlan,
        baseline_model: types.BaseChannel[Any] | None = None,
        example_splits: tuple[str, ...] = ("eval",),
    ):
        """Initializes the component.

        Args:
          examples: Raw examples with label columns.
          model: The candidate: a SavedModel whose `serving_default` takes serialized examples.
          plan: What is evaluated, and the thresholds.
          baseline_model: The last blessed model; its custom property `has_model` is 0 where there is none.
          example_splits: The splits that the model is judged on.
        """
        spec = ModelEvaluatorSpec(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            plan=plan.model_dump_json(),
            example_splits=json_utils.dumps(list(example_splits)),
            evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        )
        super().__init__(spec=spec)
