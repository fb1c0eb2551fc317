"""What all configurations that come with Tandem have in common."""

import re
from pathlib import Path

import pytest

from tandem.pipeline.configuration import built_in
from tandem.pipeline.configuration.config import load

TESTS = Path(__file__).parent
TESTED_ELSEWHERE = {"sample", "kuairand"}  # with their schemas: the end to end runs


@pytest.mark.parametrize("name", built_in.names())
def test_its_first_lines_say_where_to_get_the_files_and_how_to_run_it(name):
    comment = built_in.find(name).read_text(encoding="utf-8").split("\n\n")[0]
    assert all(line.startswith("#") for line in comment.splitlines())
    assert re.search(rf"^#   tandem run (configs/)?{name}(\.yaml)?( |$)", comment, flags=re.MULTILINE)
    if name != "sample":
        assert "https://" in comment or "et al." in comment


@pytest.mark.parametrize("name", built_in.names())
def test_it_is_sound_and_named_like_its_file(name, tmp_path):
    config = load(name, str(tmp_path))
    assert config.name == name
    assert config.evaluation.thresholds


def test_each_is_tested_on_files_of_its_shape():
    tested = {
        name
        for file in TESTS.glob("test_*.py")
        for name in re.findall(r'ingest\("(\w+)"', file.read_text(encoding="utf-8"))
    }
    assert tested | TESTED_ELSEWHERE == set(built_in.names())
