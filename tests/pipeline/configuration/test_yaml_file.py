import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.pipeline.configuration import yaml_file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 0.0005),
        ("1e5", 100000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-3", -3),
        ("1_000", "1_000"),
        ("109_14", "109_14"),
        ("1_0.5", "1_0.5"),
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


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: \x07", 2, "no valid YAML: unacceptable character #x0007"),
        ("a: 1\n? [1, 2]\n: 3", 2, "a key must be a word, not a list or a mapping"),
        ("a:\n  b: &x [1, *x]", 2, "the anchor 'x' contains itself"),
        ("a: 1\n<<: &x {b: *x}", 2, "the anchor 'x' contains itself"),
        ("a: 1\nb: !!python/object/apply:os.getcwd []", 2, "could not determine a constructor for the tag"),
        ("a: 1\n---\nb: 2", 2, "expected a single document"),
        ("a: 1\nb: x\0y", 2, "no valid YAML: unacceptable character #x0000"),
        ("a: 1\nb: !!bool maybe", 2, "'maybe' is no '!!bool'"),
        ("a:\n  - !!float x", 2, "'x' is no '!!float'"),
        ("a:\n  - !!int 1_0", 2, "'1_0' is no '!!int'"),
        ("a: 1\nb: !!set {c}", 2, "could not determine a constructor for the tag '!!set'"),
        ("a: 1\nb: !ours [1]", 2, "could not determine a constructor for the tag '!ours'"),
        ("[" * 3000, 1, "lists or mappings are nested too deep"),
    ],
)
def test_what_can_be_no_settings_tells_the_line(text, line, message):
    with pytest.raises(yaml_file.YamlError) as error:
        yaml_file.parse(text)
    assert error.value.line == line
    assert message in str(error.value)


def test_anchors_within_anchors_do_not_eat_the_memory():
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))]
    with pytest.raises(yaml_file.YamlError, match="more than 100,000 values; anchors within anchors multiply them"):
        yaml_file.parse("\n".join(lines))


def test_tags_that_say_what_is_there_change_nothing():
    assert yaml_file.scalar("!!map {a: !!seq [!!str 5, !!int 5, !!float 5, !!bool true]}") == {"a": ["5", 5, 5.0, True]}


def test_words_may_be_asked_for_as_they_are_written():
    text = "{a: true, b: 007, c: 1.50, d: '5', e: , f: [no, 1e3]}"
    assert yaml_file.scalar(text, lambda path: True) == {
        "a": "true",
        "b": "007",
        "c": "1.50",
        "d": "5",
        "e": None,
        "f": ["no", "1e3"],
    }
    assert yaml_file.scalar(text, lambda path: path == ("b",))["b"] == "007"
    assert yaml_file.scalar(text)["b"] == 7


def test_an_anchor_may_stand_in_several_places():
    value, lines = yaml_file.parse("a: &x [1]\nb: *x\nc: *x")
    assert value == {"a": [1], "b": [1], "c": [1]}
    assert lines["c",] == 3


WORDS = [
    "on",
    "no",
    "5e-4",
    "109_14",
    "1_000",
    "0o17",
    "0x1F",
    "1:30",
    "2024-03-11",
    "~",
    "",
    "=",
    "<<",
    " a",
    "a: b",
    "'",
]
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(WORDS),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co"), exclude_characters="\ufeff")),
)
KEYS = st.text("abc_-. 0", min_size=1)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_what_is_written_is_read_again(value):
    found = yaml_file.scalar(yaml_file.dump(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("word", WORDS)
def test_texts_that_other_readers_take_for_something_else_are_quoted(word):
    import ruamel.yaml

    text = yaml_file.dump([word])
    for version in ("1.1", "1.2"):
        reader = ruamel.yaml.YAML(typ="safe", pure=True)
        reader.version = version
        assert list(reader.load(text)) == [word]


def test_keys_keep_their_order():
    assert list(yaml_file.scalar(yaml_file.dump({"b": 1, "a": 2}))) == ["b", "a"]


def test_keys_are_texts():
    value, lines = yaml_file.parse("5: a\ntrue: b\n2024-03-11: {1.50: c}\n~: d")
    assert value == {"5": "a", "true": "b", "2024-03-11": {"1.50": "c"}, "~": "d"}
    assert lines["2024-03-11", "1.50"] == 3
    with pytest.raises(yaml_file.YamlError, match="the key '5' comes twice, first on line 1"):
        yaml_file.parse("5: a\n'5': b")
