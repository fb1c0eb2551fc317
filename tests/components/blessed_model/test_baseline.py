from __future__ import annotations

import json
import pathlib

import pytest

from tandem.components.blessed_model.baseline import ManifestError, last_blessed, output_names, why_incomparable
from tandem.components.pusher.versions import fingerprint


def _model(folder: pathlib.Path, content: str, outputs: object = ("click",)) -> str:
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "assets.extra" / "tandem.json").write_text(json.dumps({"outputs": outputs}))
    return str(folder)


def test_newest_that_is_not_the_candidate(tmp_path: pathlib.Path) -> None:
    candidate = fingerprint(_model(tmp_path / "candidate", "c"))
    serving = tmp_path / "serving"
    assert last_blessed(str(serving), candidate) is None

    _model(serving / "5", "c")
    assert last_blessed(str(serving), candidate) is None

    path = _model(serving / "9", "b")
    _model(serving / "10", "c")
    assert last_blessed(str(serving), candidate) == (9, path, fingerprint(path))
    other = fingerprint(_model(tmp_path / "other", "d"))
    baseline = last_blessed(str(serving), other)
    assert baseline is not None
    assert baseline.version == 10


def test_comparable_whatever_the_order(tmp_path: pathlib.Path) -> None:
    candidate = _model(tmp_path / "a", "a", ["click", "buy"])
    assert output_names(candidate) == ("buy", "click")
    assert why_incomparable(candidate, _model(tmp_path / "b", "b", ["buy", "click"])) is None


def test_other_outputs(tmp_path: pathlib.Path) -> None:
    candidate, blessed = _model(tmp_path / "a", "a", ["click"]), _model(tmp_path / "b", "b", ["click", "buy"])
    assert why_incomparable(candidate, blessed) == (
        "the last blessed model answers [buy, click], the candidate [click]"
    )


def test_blessed_model_of_unknown_origin(tmp_path: pathlib.Path) -> None:
    (tmp_path / "b").mkdir()
    reason = why_incomparable(_model(tmp_path / "a", "a"), str(tmp_path / "b"))
    assert reason is not None
    assert reason.startswith("it is not known what the last blessed model answers")
    assert "has no assets.extra/tandem.json" in reason


def test_candidate_without_manifest(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ManifestError, match=r"has no assets\.extra/tandem\.json"):
        why_incomparable(str(tmp_path / "a"), _model(tmp_path / "b", "b"))


@pytest.mark.parametrize("outputs", [None, [], "click", [1], {"click": 1}])
def test_bad_outputs(tmp_path: pathlib.Path, outputs: object) -> None:
    with pytest.raises(ManifestError, match="'outputs' must be a list of names, got"):
        output_names(_model(tmp_path / "a", "a", outputs))


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[]", "'outputs' must be"), ("\xff", "not JSON")])
def test_bad_manifest(tmp_path: pathlib.Path, text: str, message: str) -> None:
    path = pathlib.Path(_model(tmp_path / "a", "a"), "assets.extra", "tandem.json")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ManifestError, match=message):
        output_names(str(tmp_path / "a"))
