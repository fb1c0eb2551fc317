from __future__ import annotations

import json
import logging
import pathlib
import shutil
from typing import TYPE_CHECKING

import pytest
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import path_utils

from tandem.components.blessed_model.baseline import ManifestError
from tandem.components.blessed_model.component import BlessedModel
from tandem.components.blessed_model.executor import BaselineChangedError, Executor
from tandem.components.pusher.versions import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable


def _saved_model(folder: pathlib.Path, content: str, outputs: tuple[str, ...] = ("click",)) -> str:
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "assets.extra" / "tandem.json").write_text(json.dumps({"outputs": outputs}))
    return str(folder)


@pytest.fixture
def candidate(tmp_path: pathlib.Path) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = str(tmp_path / "candidate")
    _saved_model(tmp_path / "candidate" / "Format-Serving", "candidate")
    return artifact


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "serving" / "ranker"


@pytest.fixture
def blessed(candidate: standard_artifacts.Model, tmp_path: pathlib.Path) -> Callable[..., standard_artifacts.Model]:
    def run(**from_driver: str) -> standard_artifacts.Model:
        output = standard_artifacts.Model()
        output.uri = str(tmp_path / "output")
        properties = {"push_dir": str(tmp_path / "serving"), "model_name": "ranker", **from_driver}
        Executor().Do({"model": [candidate]}, {"blessed_model": [output]}, properties)
        return output

    return run


def test_none_yet(blessed: Callable, serving: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tandem.blessed_model"):
        output = blessed()
    assert output.get_int_custom_property("has_model") == 0
    reason = output.get_string_custom_property("reason")
    assert reason == f"no other model is pushed in {serving}: compared with absolute thresholds only"
    assert reason in caplog.text
    assert not output.has_custom_property("version")
    assert list(pathlib.Path(output.uri).iterdir()) == []


def test_resolves_by_itself_where_no_driver_ran(blessed: Callable, serving: pathlib.Path) -> None:
    path = _saved_model(serving / "41", "old")
    _saved_model(serving / "42", "candidate")
    output = blessed()
    assert output.get_int_custom_property("has_model") == 1
    assert output.get_int_custom_property("version") == 41
    assert output.get_string_custom_property("fingerprint") == fingerprint(path)
    assert not output.has_custom_property("reason")
    copy = path_utils.serving_model_path(output.uri)
    shutil.rmtree(path)
    assert pathlib.Path(copy, "saved_model.pb").read_text() == "old"


def test_takes_what_the_driver_chose(blessed: Callable, serving: pathlib.Path) -> None:
    path = _saved_model(serving / "41", "old")
    _saved_model(serving / "43", "pushed after the driver looked")
    output = blessed(baseline_version="41", baseline_fingerprint=fingerprint(path))
    assert output.get_int_custom_property("version") == 41


def test_driver_found_none(blessed: Callable, serving: pathlib.Path) -> None:
    _saved_model(serving / "43", "pushed after the driver looked")
    assert blessed(baseline_version="", baseline_fingerprint="").get_int_custom_property("has_model") == 0


def test_version_deleted_or_replaced_meanwhile(blessed: Callable, serving: pathlib.Path) -> None:
    with pytest.raises(BaselineChangedError, match="version 41 was deleted from"):
        blessed(baseline_version="41", baseline_fingerprint="ab")
    _saved_model(serving / "41", "other")
    with pytest.raises(BaselineChangedError, match="changed while it was copied"):
        blessed(baseline_version="41", baseline_fingerprint="ab")


def test_other_outputs(blessed: Callable, serving: pathlib.Path) -> None:
    _saved_model(serving / "41", "old", ("click", "buy"))
    output = blessed()
    assert output.get_int_custom_property("has_model") == 0
    assert output.get_int_custom_property("version") == 41
    assert output.get_string_custom_property("reason") == (
        "the last blessed model answers [buy, click], the candidate [click]: compared with absolute thresholds only"
    )
    assert list(pathlib.Path(output.uri).iterdir()) == []


def test_candidate_must_say_what_it_answers(blessed: Callable, candidate: standard_artifacts.Model) -> None:
    shutil.rmtree(pathlib.Path(candidate.uri, "Format-Serving", "assets.extra"))
    with pytest.raises(ManifestError, match="has no assets"):
        blessed()


def test_component() -> None:
    model = channel_utils.as_channel([standard_artifacts.Model()])
    component = BlessedModel(model=model, push_dir="/serving", model_name="ranker")
    assert component.exec_properties == {"push_dir": "/serving", "model_name": "ranker"}
    assert component.outputs["blessed_model"].type_name == "Model"
    with pytest.raises(ValueError, match="'gs://models', but must be a folder"):
        BlessedModel(model=model, push_dir="gs://models", model_name="ranker")
