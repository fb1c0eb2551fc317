"""What the code of the package calls its things."""

import ast
from collections import defaultdict
from pathlib import Path

import tandem

PACKAGE = Path(tandem.__file__).parent
CALLED_SO_BY_TFX = {"Executor", "Driver"}


def test_a_public_class_has_a_name_of_its_own():
    places = defaultdict(list)
    files = {path.resolve(): path for room in PACKAGE.iterdir() for path in [*room.glob("**/*.py"), room]}
    for file in (path for path in files.values() if path.suffix == ".py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(file.relative_to(PACKAGE)))
    assert len(places) > 100
    twice = {name: files for name, files in places.items() if len(files) > 1 and name not in CALLED_SO_BY_TFX}
    assert not twice
