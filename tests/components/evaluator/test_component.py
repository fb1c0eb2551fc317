from __future__ import annotations

from typing import Any

import pytest
from tfx import types
from tfx.dsl.components.common import importer
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.types import standard_artifacts

from tandem.components.evaluator.component import ModelEvaluator
from tandem.components.evaluator.executor import Executor
from tandem.components.evaluator.plan import EvaluationPlan, evaluation_plan
from tandem.components.evaluator.settings import EvaluationSettings


def _evaluator(plan: EvaluationPlan, **channels: types.BaseChannel) -> ModelEvaluator:
    channels.setdefault("examples", types.Channel(type=standard_artifacts.Examples))
    channels.setdefault("model", types.Channel(type=standard_artifacts.Model))
    channels.setdefault("baseline_model", types.Channel(type=standard_artifacts.Model))
    return ModelEvaluator(plan=plan, **channels)


@pytest.fixture
def plan(graph: Any) -> EvaluationPlan:
    threshold = {"metric": "auc", "output": "click", "at_least": 0.7}
    return evaluation_plan(EvaluationSettings(slices=["city"], thresholds=[threshold]), graph)


def test_properties_and_channels(plan: EvaluationPlan) -> None:
    component = _evaluator(plan)
    assert set(component.inputs) == {"examples", "model", "baseline_model"}
    assert component.outputs["blessing"].type is standard_artifacts.ModelBlessing
    assert component.outputs["evaluation"].type is standard_artifacts.ModelEvaluation
    assert component.executor_spec.executor_class is Executor
    assert component.exec_properties["example_splits"] == '["eval"]'
    assert EvaluationPlan.model_validate_json(component.exec_properties["plan"]) == plan


def test_compiles_for_kubeflow(plan: EvaluationPlan, tmp_path: Any) -> None:
    imported = {
        name: importer.Importer(source_uri=f"/data/{name}", artifact_type=type_).with_id(name)
        for name, type_ in {
            "examples": standard_artifacts.Examples,
            "model": standard_artifacts.Model,
            "baseline_model": standard_artifacts.Model,
        }.items()
    }
    evaluator = _evaluator(plan, **{name: node.outputs["result"] for name, node in imported.items()})
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image", use_pipeline_spec_2_1=True),
        output_dir=str(tmp_path),
        output_filename="pipeline.json",
    )
    job = runner.run(
        tfx_pipeline.Pipeline("p", str(tmp_path), components=[*imported.values(), evaluator], enable_cache=False)
    )
    task = job["pipelineSpec"]["root"]["dag"]["tasks"]["ModelEvaluator"]
    parameters = task["inputs"]["parameters"]
    assert EvaluationPlan.model_validate_json(parameters["plan"]["runtimeValue"]["constant"]) == plan
