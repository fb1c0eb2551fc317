import pytest
from kfp import components

from tandem.pipeline.configuration.config import load
from tandem.pipeline.kubeflow.compile import compile_package


def test_kfp_reads_the_package_back(config_file, logs, tmp_path):
    package = compile_package(load(config_file), tmp_path / "out" / "shop.yaml", image="registry/tandem:1")
    loaded = components.load_component_from_file(str(package))
    assert loaded.name == "shop"
    spec = loaded.pipeline_spec
    assert spec.schema_version == "2.1.0"
    assert set(spec.root.dag.tasks) == {
        "LogExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "Transform",
        "Trainer",
        "BlessedModel",
        "ModelEvaluator",
        "AtomicPusher",
        "RunReport",
    }
    assert spec.root.dag.tasks["AtomicPusher"].dependent_tasks == ["ModelEvaluator", "Trainer"]
    assert set(spec.root.dag.tasks["RunReport"].dependent_tasks) == set(spec.root.dag.tasks) - {"RunReport"}
    executors = spec.deployment_spec["executors"]
    images = {executor["container"]["image"] for executor in executors.values()}
    assert images == {"registry/tandem:1"}


def test_checkpoints_lie_below_the_pipelines_root(config_file, logs, tmp_path):
    package = compile_package(load(config_file, output="/volume/shop"), tmp_path / "shop.yaml")
    assert "/volume/shop/artifacts/checkpoints" in package.read_text()


def test_compiling_twice_gives_the_same_package(config_file, logs, tmp_path):
    texts = [compile_package(load(config_file), tmp_path / name).read_text() for name in ("a.yaml", "b.yaml")]
    assert texts[0] == texts[1]


def test_a_name_with_underscores(config_file, logs, tmp_path):
    package = compile_package(load(config_file, overrides=["name=my_shop"]), tmp_path / "shop.yaml")
    assert components.load_component_from_file(str(package)).name == "my-shop"


def test_another_ending_is_refused(config_file, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.yaml, got 'shop\.zip'"):
        compile_package(load(config_file), tmp_path.relative_to(tmp_path) / "shop.zip")
