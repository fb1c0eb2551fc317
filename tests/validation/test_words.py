from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from tandem.settings import Settings
from tandem.validation.words import bounds, choices, closest, describe, explain, shown, unknown, validated


class Circle(Settings):
    kind: Literal["circle"] = "circle"
    radius: float = Field(gt=0)


class Box(Settings):
    kind: Literal["box"] = "box"
    width: float = 1.0
    high: bool = False


Shape = Annotated[Circle | Box, Field(discriminator="kind")]


class Drawing(Settings):
    name: str
    marks: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = Field(default=(), max_length=3)
    mark: str | None = Field(default=None, min_length=1, max_length=1)


def sentences(data):
    with pytest.raises(ValidationError) as error:
        validated(Drawing, data)
    return explain(error.value, Drawing, data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"name": 12}, [(("name",), "got 12, expected a text; quote it: '12'")]),
        ({"name": True}, [(("name",), "got true, expected a text; quote it: 'true'")]),
        ({"name": "a", "marks": 7}, [(("marks",), "got 7, expected a list of texts; quote it: '7'")]),
        ({"name": ["a"]}, [(("name",), "got ['a'], expected a text")]),
        ({}, [(("name",), "is missing; expected a text")]),
        ({"nmae": "a"}, [(("nmae",), "unknown key 'nmae'; did you mean 'name'? Allowed: mark, marks, name, shapes")]),
        ({"name": "a", "mark": "xy"}, [(("mark",), "got 'xy', expected a text of 1 character")]),
        (
            {"name": "a", "shapes": [{"kind": "ball"}]},
            [(("shapes", 0), "kind: got 'ball', expected one of 'circle', 'box'")],
        ),
        (
            {"name": "a", "shapes": [{"kind": "boxx", "widht": 1, "high": 3}]},
            [
                (("shapes", 0), "kind: got 'boxx', expected one of 'circle', 'box'"),
                (("shapes", 0, "high"), "got 3, expected true or false"),
                (("shapes", 0, "widht"), "unknown key 'widht'; did you mean 'width'? Allowed: high, kind, width"),
            ],
        ),
        (
            {"name": "a", "shapes": [{"knd": "circle", "radius": -1}]},
            [
                (("shapes", 0, "knd"), "unknown key 'knd'; did you mean 'kind'? Allowed: high, kind, radius, width"),
                (("shapes", 0, "radius"), "got -1, expected a number > 0"),
            ],
        ),
        (
            {"name": "a", "shapes": [{"colour": "red"}]},
            [
                (("shapes", 0), "'kind' is missing; expected one of 'circle', 'box'"),
                (("shapes", 0, "colour"), "unknown key 'colour'; allowed: high, kind, radius, width"),
            ],
        ),
    ],
)
def test_mistakes_in_words(data, expected):
    assert sentences(data) == expected


def test_a_missing_key_that_is_misspelt_is_told_once():
    (problem,) = sentences({"naem": "a"})
    assert problem[0] == ("naem",)
    paths = [path for path, _ in sentences({"colour": "a"})]
    assert paths == [("name",), ("colour",)]


class Choice(Settings):
    of: tuple[str, ...] | dict[str, str] = ()


def test_of_the_members_of_a_union_the_one_that_is_meant_is_told():
    with pytest.raises(ValidationError) as error:
        validated(Choice, {"of": {"device": 1.5}})
    found = explain(error.value, Choice, {"of": {"device": 1.5}})
    assert found == [(("of", "device"), "got 1.5, expected a text; quote it: '1.5'")]


def test_reading_is_strict():
    assert validated(Drawing, {"name": "a", "shapes": [{"kind": "box", "width": 2}]}).shapes == (Box(width=2.0),)
    with pytest.raises(ValidationError):
        validated(Drawing, {"name": "a", "shapes": [{"kind": "box", "width": "2"}]})


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "a whole number"),
        (float | None, "a number"),
        (str | int, "a text or a whole number"),
        (tuple[Annotated[int, Field(ge=1)], ...], "a list of whole numbers >= 1"),
        (Annotated[float, Field(gt=0, le=1)], "a number > 0 and <= 1"),
        (Annotated[tuple[str, ...], Field(min_length=1)], "a list of texts of at least 1 element"),
        (Annotated[str, Field(min_length=2, max_length=2)], "a text of 2 characters"),
        (Annotated[str, Field(max_length=2)], "a text of at most 2 characters"),
        (dict[str, int], "a mapping (key: value)"),
        (Literal["a"], "'a'"),
        (Box, "a mapping with the keys kind, width, high"),
        (object, ""),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(annotation) == words


def test_bounds_in_words():
    assert bounds([Field(ge=2, lt=5)], int) == " >= 2 and < 5"
    assert bounds([], int) == ""


def test_names_that_may_have_been_meant():
    assert closest("mmeo", ["ple", "mmoe"]) == "mmoe"
    assert closest("x", ["ple", "mmoe"]) is None
    assert (
        unknown("recipe", "mmeo", ["ple", "mmoe"]) == "unknown recipe 'mmeo'; did you mean 'mmoe'? Allowed: mmoe, ple"
    )
    assert choices("x", []) == "; allowed: none"


def test_long_values_are_cut():
    assert shown("a" * 100) == "'" + "a" * 56 + "..."
    assert shown({}) == "a mapping (keys none)"
