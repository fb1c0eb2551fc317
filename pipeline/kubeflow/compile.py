"""Compiles the pipeline into a package for Kubeflow Pipelines v2.

Paths in the package are those of the cluster: the output folder, the push folder and the data folder must lie on a
volume that every step sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow

from tandem.pipeline.pipeline import create_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from tandem.pipeline.configuration.config import Config

DEFAULT_IMAGE = "tandem:latest"


def compile_package(config: Config, output: Path, image: str = DEFAULT_IMAGE) -> Path:
    """Writes the package.

    Args:
      config: What to run.
      output: The file, `*.yaml`.
      image: The container image of every step: this project and its requirements.

    Returns:
      The file written.

    Raises:
      ValueError: The file's name has another ending.
    """
    if output.suffix not in (".yaml", ".yml"):
        raise ValueError(f"the package's name must end in .yaml, got '{output}'")
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    runner = kubeflow.KubeflowV2DagRunner(
        config=kubeflow.KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True),
        output_dir=str(output.parent),
        output_filename=output.name,
    )
    root = config.output_dir / "artifacts"
    # Kubeflow's output folders belong to one run: a new run could not find what the last one left beside them.
    runner.run(create_pipeline(config, str(root), checkpoint_dir=str(root / "checkpoints")), write_out=True)
    return output
