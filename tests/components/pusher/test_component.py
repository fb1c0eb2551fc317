from __future__ import annotations

import json
import logging
import pathlib
import posixpath
from typing import TYPE_CHECKING

import pytest
import tensorflow as tf
from tfx.types import channel_utils, standard_artifacts

from tandem.components.pusher.component import AtomicPusher
from tandem.components.pusher.driver import Driver
from tandem.components.pusher.executor import Executor, ForeignBlessingError
from tandem.components.pusher.local_model import local_model
from tandem.components.pusher.versions import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def model(tmp_path: pathlib.Path) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = str(tmp_path / "model")
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    (tmp_path / "model" / "Format-Serving" / "saved_model.pb").write_text("graph")
    return artifact


def _blessing(**properties: int | str) -> standard_artifacts.ModelBlessing:
    artifact = standard_artifacts.ModelBlessing()
    artifact.uri = "runs/blessing"
    for name, value in properties.items():
        if isinstance(value, int):
            artifact.set_int_custom_property(name, value)
        else:
            artifact.set_string_custom_property(name, value)
    return artifact


@pytest.fixture
def push(
    model: standard_artifacts.Model, tmp_path: pathlib.Path
) -> Callable[[standard_artifacts.ModelBlessing], standard_artifacts.PushedModel]:
    def run(blessing: standard_artifacts.ModelBlessing) -> standard_artifacts.PushedModel:
        pushed = standard_artifacts.PushedModel()
        Executor().Do(
            {"model": [model], "model_blessing": [blessing]},
            {"pushed_model": [pushed]},
            {"push_dir": str(tmp_path / "serving"), "model_name": "ranker"},
        )
        return pushed

    return run


def _versions(tmp_path: pathlib.Path) -> list[str]:
    folder = tmp_path / "serving" / "ranker"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_blessed(push: Callable, model: standard_artifacts.Model, tmp_path: pathlib.Path) -> None:
    pushed = push(_blessing(blessed=1, current_model=model.uri + "/"))
    (version,) = _versions(tmp_path)
    path = tmp_path / "serving" / "ranker" / version
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == version
    assert pushed.get_string_custom_property("pushed_destination") == str(path)
    assert pushed.get_string_custom_property("fingerprint") == fingerprint(str(path))
    record = json.loads((path / "assets.extra" / "push.json").read_text())
    assert record["source"] == model.uri
    assert record["blessing"] == "runs/blessing"


def test_blessed_but_pushed_already(push: Callable, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    first = push(_blessing(blessed=1)).get_string_custom_property("pushed_version")
    with caplog.at_level(logging.INFO, "tandem.pusher"):
        assert push(_blessing(blessed=1)).get_string_custom_property("pushed_version") == first
    assert f"nothing to push: version {first}" in caplog.text
    assert _versions(tmp_path) == [first]


def test_not_blessed(
    push: Callable, model: standard_artifacts.Model, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tandem.pusher"):
        pushed = push(_blessing(blessed=0, current_model=model.uri))
    assert "not blessed: not pushed; no version is pushed in" in caplog.text
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.has_custom_property("pushed")
    assert not pushed.has_custom_property("pushed_version")
    assert _versions(tmp_path) == []


def test_not_blessed_leaves_the_old_version(
    push: Callable, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "serving" / "ranker" / "41").mkdir(parents=True)
    (tmp_path / "serving" / "ranker" / "41" / "saved_model.pb").write_text("old")
    with caplog.at_level(logging.INFO, "tandem.pusher"):
        push(_blessing(blessed=0))
    assert "not blessed: not pushed; version 41 stays" in caplog.text
    assert _versions(tmp_path) == ["41"]


def test_no_verdict(push: Callable, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tandem.pusher"):
        assert push(_blessing()).get_int_custom_property("pushed") == 0
    assert "without thresholds gives no verdict" in caplog.text
    assert _versions(tmp_path) == []


@pytest.mark.parametrize("blessed", [0, 1])
def test_blessing_of_another_model(push: Callable, tmp_path: pathlib.Path, blessed: int) -> None:
    with pytest.raises(ForeignBlessingError, match="is about the model runs/other, not about"):
        push(_blessing(blessed=blessed, current_model="runs/other"))
    assert _versions(tmp_path) == []


def test_model_in_an_object_store_is_fetched() -> None:
    artifact = standard_artifacts.Model()
    artifact.uri = "ram://models/7"
    for name in ("saved_model.pb", "variables/data"):
        tf.io.gfile.makedirs(posixpath.dirname(f"ram://models/7/Format-Serving/{name}"))
        with tf.io.gfile.GFile(f"ram://models/7/Format-Serving/{name}", "w") as file:
            file.write(name)
    with local_model(artifact) as path:
        assert pathlib.Path(path, "variables", "data").read_text() == "variables/data"
        assert len(fingerprint(path)) == 64
    assert not pathlib.Path(path).exists()


def _component(**settings: str) -> AtomicPusher:
    return AtomicPusher(
        model=channel_utils.as_channel([standard_artifacts.Model()]),
        model_blessing=channel_utils.as_channel([standard_artifacts.ModelBlessing()]),
        **{"push_dir": "/serving", "model_name": "ranker", **settings},
    )


def test_component() -> None:
    component = _component()
    assert component.exec_properties == {"push_dir": "/serving", "model_name": "ranker"}
    assert component.outputs["pushed_model"].type_name == "PushedModel"
    assert component.driver_class is Driver


def test_component_refuses_an_object_store_and_a_bad_name() -> None:
    with pytest.raises(ValueError, match="'s3://models', but must be a folder"):
        _component(push_dir="s3://models")
    with pytest.raises(ValueError, match="model_name is 'a/b'"):
        _component(model_name="a/b")
