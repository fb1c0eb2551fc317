import math

import pytest

from tandem.pipeline.configuration import yaml_file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 0.0005),
        ("1e5", 100000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-3", -3),
        ("1_000", 1000),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("yes", "yes"),
        ("2024-03-11", "2024-03-11"),
        ("12:30:00", "12:30:00"),
        ("1.2.3", "1.2.3"),
        ("'5'", "5"),
        (".inf", math.inf),
        ("[a, 1, {b: 2}]", ["a", 1, {"b": 2}]),
    ],
)
def test_plain_words_are_read_by_yaml_1_2(text, value):
    found = yaml_file.scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_keys_that_yaml_1_1_takes_for_booleans_stay_words():
    assert yaml_file.scalar("{on: x, off: y}") == {"on": "x", "off": "y"}


def test_lines_of_keys_and_elements():
    _, lines = yaml_file.parse("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
    assert lines == {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 5}


def test_merged_mappings_are_no_duplicates():
    value, _ = yaml_file.parse("x: &x {k: 1, l: 2}\ny: {<<: *x, k: 3}")
    assert value["y"] == {"k": 3, "l": 2}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2", 2, "the key 'a' comes twice, first on line 1"),
        ("x:\n  b: 1\n  c: 1\n  b: 2", 4, "the key 'b' comes twice, first on line 2"),
        ("a: [1,\nb: 2", 2, "no valid YAML, column 5: expected ',' or ']'"),
        ("a: *x", 1, "no valid YAML, column 4: found undefined alias 'x'"),
        ("a:\n\t- b", 2, "no valid YAML, column 1: found character '\\t'"),
    ],
)
def test_mistakes_tell_the_line(text, line, message):
    with pytest.raises(yaml_file.YamlError) as error:
        yaml_file.parse(text)
    assert error.value.line == line
    assert message in str(error.value)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"a: \xff")
    with pytest.raises(yaml_file.YamlError, match="no UTF-8 text: invalid start byte at byte 3"):
        yaml_file.read(tmp_path / "x.yaml")
