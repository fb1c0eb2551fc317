"""What runs again, and what does not: the real pipeline, runner, drivers and cache; executors that only make files."""

import io
import os
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from tfx.orchestration.portable import outputs_utils
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator
from tfx.orchestration.portable.python_executor_operator import PythonExecutorOperator
from tfx.proto.orchestration import execution_result_pb2
from tfx.utils import path_utils

from tandem.pipeline import fingerprints
from tandem.pipeline.configuration.config import load
from tandem.pipeline.local import dag_runner, runner
from tandem.pipeline.pipeline import create_pipeline

ALWAYS = {"AtomicPusher", "RunReport"}
"""They look at the push folder as it is."""

_OF_THE_MODEL = {"BlessedModel", "ModelEvaluator"}
BELOW = {
    "LogExampleGen": {"StatisticsGen", "SchemaGen", "ExampleValidator", "Transform", "Trainer", *_OF_THE_MODEL},
    "StatisticsGen": {"SchemaGen", "ExampleValidator", "Transform", "Trainer", *_OF_THE_MODEL},
    "SchemaGen": {"ExampleValidator", "Transform", "Trainer", *_OF_THE_MODEL},
    "ExampleValidator": set(),
    "Transform": {"Trainer", *_OF_THE_MODEL},
    "Trainer": _OF_THE_MODEL,
    "BlessedModel": {"ModelEvaluator"},
    "ModelEvaluator": set(),
}
"""By component, those that are made of what it gives, directly or not."""


class _Makes:
    """Makes the outputs of a component: a file each, and a model that can be told from others."""

    def run_executor(self, info, *args):
        self._aside.executed.add(info.pipeline_node.node_info.id)
        for artifact in (each for artifacts in info.output_dict.values() for each in artifacts):
            folder = Path(path_utils.serving_model_dir(artifact.uri) if artifact.type_name == "Model" else artifact.uri)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "saved_model.pb").write_text("made")
        made = execution_result_pb2.ExecutorOutput()
        outputs_utils.populate_output_artifact(made, info.output_dict)
        return made


class _MakesPython(_Makes, dag_runner._PythonOperator):
    def __init__(self, aside, *args, **kwargs):
        PythonExecutorOperator.__init__(self, *args, **kwargs)
        self._aside = aside


class _MakesBeam(_Makes, dag_runner._BeamOperator):
    def __init__(self, aside, *args, **kwargs):
        BeamExecutorOperator.__init__(self, *args, **kwargs)
        self._aside = aside


@pytest.fixture
def ran(config_file, logs, monkeypatch):
    """Runs the pipeline; returns the components that were not reused."""
    monkeypatch.setattr(dag_runner, "_PythonOperator", _MakesPython)
    monkeypatch.setattr(dag_runner, "_BeamOperator", _MakesBeam)

    def run(path=config_file, output=config_file.parent / "out", data=None, *overrides):
        config = load(path, data, overrides, output=str(output))
        config.output_dir.mkdir(exist_ok=True)
        _, components = runner.run_components(config, Console(file=io.StringIO()), create_pipeline)
        return {component.name for component in components if component.status == "done"}

    assert run() == {*BELOW, *ALWAYS}
    return run


def test_a_second_run_reuses_everything(ran):
    assert ran() == ALWAYS


def test_neither_the_folder_that_is_typed_in_nor_the_place_of_the_files_matters(ran, config_file, logs, tmp_path):
    """As from another checkout, with other paths to the same configuration and logs."""
    elsewhere = tmp_path / "elsewhere" / "deeper"
    elsewhere.mkdir(parents=True)
    shutil.copy(config_file, elsewhere / "shop.yaml")
    shutil.copytree(logs, elsewhere / "copied")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        assert ran(Path("shop.yaml"), tmp_path / "out", "copied") == ALWAYS
        assert ran(Path("../../shop.yaml"), tmp_path / "out", "../../logs") == ALWAYS


def test_how_fast_beam_runs_does_not_matter(ran, config_file):
    arguments = "beam.args=[--direct_running_mode=multi_threading, --direct_num_workers=2]"
    assert ran(config_file, config_file.parent / "out", None, arguments) == ALWAYS


@pytest.mark.parametrize("component", list(BELOW))
def test_a_changed_line_runs_the_component_again_and_what_depends_on_it(ran, component, monkeypatch):
    read = fingerprints.source
    code = fingerprints.COMPONENTS[component]
    if code.modules:
        own = fingerprints._file(f"tandem.{code.modules[0]}")
        monkeypatch.setattr(fingerprints, "source", lambda path: read(path) + b"\n1\n" * (path == own))
        changed = {name for name, each in fingerprints.COMPONENTS.items() if own in _files(each)}
    else:
        # One of TFX's own: its code is that of a library, and changes with all others. Here with it alone.
        other = fingerprints.Code(("settings",))
        monkeypatch.setitem(fingerprints.COMPONENTS, component, other)
        changed = {component}
    expected = changed.union(*(BELOW.get(name, set()) for name in changed)) & BELOW.keys()
    assert ran() - ALWAYS == expected
    assert component in expected


def _files(code):
    return {fingerprints._file(module) for module in fingerprints.modules_of(code)}


def test_the_code_of_a_component_is_its_own():
    """Otherwise the test above would say little: most components share no more than settings and small tools."""
    own = {
        name: fingerprints._file(f"tandem.{code.modules[0]}")
        for name, code in fingerprints.COMPONENTS.items()
        if code.modules
    }
    shared = {
        name: {other for other, code in fingerprints.COMPONENTS.items() if path in _files(code)}
        for name, path in own.items()
    }
    assert {name: others - {name} for name, others in shared.items() if others != {name}} == {
        name: {"RunReport"} for name in ("LogExampleGen", "BlessedModel", "AtomicPusher")
    }


def test_another_version_of_a_library_runs_everything_again(ran, monkeypatch):
    version = fingerprints._version
    monkeypatch.setattr(fingerprints, "_version", lambda name: "9.9" if name == "polars" else version(name))
    assert ran() == {*BELOW, *ALWAYS}


def test_new_logs_run_everything_again(ran, logs):
    (logs / "clicks-1.csv").write_text("impression_id,time_ms\ni2,1709251300000\n")
    assert ran() == {*BELOW, *ALWAYS}


def test_logs_count_by_what_is_in_them(ran, logs):
    file = logs / "clicks-0.csv"
    os.utime(file, (1, 1))  # touched
    assert ran() == ALWAYS
    before = file.stat()
    file.write_text(file.read_text().replace("i1", "i2"))  # as long as before, and dated back
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ran() == {*BELOW, *ALWAYS}


def test_a_schema_counts_by_its_text(ran, config_file, tmp_path):
    def with_schema(folder, text):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "shop.pbtxt").write_text(text)
        return ran(config_file, tmp_path / "out", None, f"schema_file={folder}/shop.pbtxt")

    text = 'feature { name: "device" type: BYTES }'
    of_the_schema = {"CuratedSchema", *BELOW["SchemaGen"]}
    assert with_schema("a", text) == {*of_the_schema, *ALWAYS}
    assert with_schema("b", text) == ALWAYS
    assert with_schema("b", f'{text}\nfeature {{ name: "hour" type: BYTES }}') == {*of_the_schema, *ALWAYS}


def test_a_changed_line_of_the_curated_schema_s_code_runs_what_depends_on_it(ran, config_file, tmp_path, monkeypatch):
    (tmp_path / "shop.pbtxt").write_text('feature { name: "device" type: BYTES }')
    arguments = (config_file, tmp_path / "out", None, "schema_file=shop.pbtxt")
    ran(*arguments)
    read, own = fingerprints.source, fingerprints._file("tandem.components.curated_schema.component")
    monkeypatch.setattr(fingerprints, "source", lambda path: read(path) + b"\n1\n" * (path == own))
    assert ran(*arguments) == {"CuratedSchema", *BELOW["SchemaGen"], *ALWAYS}
