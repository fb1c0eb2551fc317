import importlib.metadata

import pytest

from tandem.pipeline import fingerprints
from tandem.pipeline.fingerprints import COMPONENTS, TRIAL, Code, fingerprint, library_versions, modules_of

TRANSFORM = COMPONENTS["Transform"]


@pytest.fixture
def edit(monkeypatch):
    """Adds a line to a module, as the fingerprints see it."""
    read = fingerprints.source

    def edit(module):
        path = fingerprints._file(module)
        assert path.is_file()
        monkeypatch.setattr(fingerprints, "source", lambda each: read(each) + b"# a comment\n" * (each == path))

    return edit


def test_it_is_the_same_every_time():
    assert fingerprint(TRANSFORM) == fingerprint(TRANSFORM)
    assert len({fingerprint(code) for code in COMPONENTS.values() if code.modules}) == len(COMPONENTS) - 2


@pytest.mark.parametrize("module", ["tandem", "tandem.models", *sorted(modules_of(Code(("models.preprocessing",))))])
def test_it_changes_with_every_module_that_is_imported_and_its_packages(edit, module):
    before = fingerprint(TRANSFORM)
    edit(module)
    assert fingerprint(TRANSFORM) != before


@pytest.mark.parametrize("module", ["tandem.models.training.trainer", "tandem.pipeline.pipeline"])
def test_it_does_not_change_with_others(edit, module):
    before = fingerprint(TRANSFORM)
    edit(module)
    assert fingerprint(TRANSFORM) == before


def test_whatever_a_recipe_may_name_belongs_to_training(edit):
    for code in (COMPONENTS["Trainer"], TRIAL):
        for module in ("backbones.autoheri", "objectives.tower_pico", "steps.meta", "balancing", "training.optimizers"):
            assert f"tandem.models.{module}" in modules_of(code)
    before = fingerprint(COMPONENTS["Trainer"])
    edit("tandem.models.backbones.man")
    assert fingerprint(COMPONENTS["Trainer"]) != before


def test_components_run_nothing_of_the_pipeline():
    for name, code in COMPONENTS.items():
        assert not [module for module in modules_of(code) if module.startswith("tandem.pipeline")], name


def test_the_report_changes_with_its_templates(monkeypatch):
    report, read = COMPONENTS["RunReport"], fingerprints.source
    assert {path.suffix for path in fingerprints._further(report)} == {".html", ".css", ".js"}
    before = fingerprint(report)
    monkeypatch.setattr(fingerprints, "source", lambda path: read(path).replace(b"<h1>", b"<h2>"))
    assert fingerprint(report) != before


def test_it_changes_with_the_release_of_a_library(monkeypatch):
    installed = dict(line.split("==") for line in library_versions())
    assert installed["tensorflow"] == importlib.metadata.version("tensorflow")
    assert "none" not in installed.values()
    before = fingerprint(TRANSFORM), fingerprint(Code())
    version = fingerprints._version
    monkeypatch.setattr(fingerprints, "_version", lambda name: "0.0.1" if name == "numpy" else version(name))
    assert fingerprint(TRANSFORM) != before[0]
    assert fingerprint(Code()) != before[1]


def test_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setattr(fingerprints, "LIBRARIES", ("no-such-library",))
    assert library_versions()[1:] == ["no-such-library==none"]


@pytest.mark.parametrize("code", [Code(("models.no_such",)), Code(packages=("no_such",))])
def test_a_module_that_is_not_there(code):
    with pytest.raises(ValueError, match=r"there is no module tandem\.(models\.)?no_such"):
        modules_of(code)
