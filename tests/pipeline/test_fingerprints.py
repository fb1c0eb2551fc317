import pytest

from tandem.pipeline.fingerprints import code_version


@pytest.fixture
def project(tmp_path):
    """A package `rooms`: a imports b and c and refers to e, b imports the sub-package, d stands alone."""
    files = {
        "rooms/__init__.py": "",
        "rooms/a.py": "from rooms.b import f\nimport os\n\ndef g():\n    from . import c\n\n"
        "E = 'rooms.e:E'\nD = 'as rooms.d:D'\n",
        "rooms/b.py": "import numpy\nimport rooms.inner\n\nf = 1\n",
        "rooms/c.py": "X = 1\n",
        "rooms/d.py": "X = 1\n",
        "rooms/e.py": "class E: ...\n",
        "rooms/inner/__init__.py": "from rooms.inner.deep import y\n",
        "rooms/inner/deep.py": "y = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def version(root, *modules):
    return code_version(*(modules or ("rooms.a",)), root=root, packages=("rooms",))


@pytest.mark.parametrize("name", ["__init__.py", "a.py", "b.py", "c.py", "e.py", "inner/__init__.py", "inner/deep.py"])
def test_it_changes_with_every_source_that_is_imported(project, name):
    before = version(project)
    path = project / "rooms" / name
    path.write_text(path.read_text() + "# a comment\n")
    assert version(project) != before


def test_it_does_not_change_with_other_sources(project):
    before = version(project)
    (project / "rooms" / "d.py").write_text("X = 2\n")
    (project / "rooms" / "f.py").write_text("")
    assert version(project) == before
    assert version(project, "rooms.d") != before


def test_the_order_of_the_modules_does_not_matter(project):
    assert version(project, "rooms.c", "rooms.d") == version(project, "rooms.d", "rooms.c")


def test_modules_that_import_each_other(project):
    (project / "rooms" / "c.py").write_text("import rooms.a\n")
    assert version(project) == version(project, "rooms.c")


def test_a_module_that_is_not_there(project):
    with pytest.raises(ValueError, match=r"there is no module 'rooms\.x' below"):
        version(project, "rooms.x")


def test_the_transform_does_not_depend_on_the_trainer():
    assert code_version("tandem.models.preprocessing") != code_version("tandem.models.training.trainer")
    assert code_version("tandem.models.training.trainer") == code_version("tandem.models.training.trainer")
