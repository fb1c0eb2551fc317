import datetime
from typing import Annotated, Literal

import pytest
from pydantic import BeforeValidator, Field, model_validator

from tandem.settings import Settings
from tandem.validation.draft import Draft, Unclear


class Period(Settings, populate_by_name=True):
    start: int = Field(default=0, alias="from")
    end: int | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self):
        if self.end is not None and self.start >= self.end:
            raise ValueError(f"'from' ({self.start}) is not before 'to' ({self.end})")
        return self


class Circle(Settings):
    kind: Literal["circle"] = "circle"
    radius: float = Field(gt=0)


class Box(Settings):
    kind: Literal["box"] = "box"
    width: float = 1.0
    height: float = 1.0


Shape = Annotated[Circle | Box, Field(discriminator="kind")]


class Drawing(Settings):
    name: str
    shapes: tuple[Shape, ...] = ()
    period: Period = Period()
    labels: dict[str, Period] = Field(default_factory=dict)
    size: int = Field(default=3, ge=1)
    most: int = 9

    @model_validator(mode="after")
    def _not_too_large(self):
        if self.size > self.most:
            raise ValueError(f"size ({self.size}) is above most ({self.most})")
        return self

    @model_validator(mode="after")
    def _some_shape_for_its_size(self):
        if self.size > 5 and not self.shapes:
            raise ValueError(f"size {self.size} without a shape")
        return self


def sentences(data):
    return dict(Draft(Drawing, data).problems)


def test_sound_settings_are_given_whole():
    draft = Draft(Drawing, {"name": "a", "shapes": [{"kind": "box", "width": 2}], "labels": {"x": {"from": 1}}})
    assert draft.problems == ()
    assert draft.settings == Drawing(name="a", shapes=(Box(width=2.0),), labels={"x": Period(start=1)})
    assert draft.read("shapes", 0, "width") == 2.0
    assert draft.read("labels", "x", "from") == 1
    assert draft.read("period", "to") is None
    assert list(draft.elements("shapes")) == [(0, Box(width=2.0))]
    assert list(draft.elements("labels")) == [("x", Period(start=1))]


def test_what_is_sound_can_be_read_beside_what_is_wrong():
    draft = Draft(
        Drawing,
        {"name": 3, "shapes": [{"kind": "circle"}, {"kind": "box", "width": 2}], "labels": {"x": {"to": "y"}, "z": {}}},
    )
    assert draft.settings is None
    assert list(draft.elements("shapes")) == [(1, Box(width=2.0))]
    assert [key for key, _ in draft.elements("labels")] == ["z"]
    assert draft.keys("shapes") == [0, 1]
    assert draft.keys("labels") == ["x", "z"]
    assert draft.read("shapes", 1, "width") == 2.0
    assert draft.read("size") == 3  # the default
    assert draft.read("period", "from") == 0  # a default of a default


@pytest.mark.parametrize(
    "path",
    [("name",), ("shapes",), ("shapes", 0), ("shapes", 0, "radius"), ("labels", "x"), ("shapes", 7), ("nobody",)],
)
def test_what_is_wrong_or_missing_is_unclear(path):
    draft = Draft(Drawing, {"shapes": [{"kind": "circle"}], "labels": {"x": {"to": "y"}}})
    with pytest.raises(Unclear):
        draft.read(*path)


def test_a_default_is_unclear_beside_a_key_that_may_stand_for_it():
    draft = Draft(Drawing, {"name": "a", "sise": 4, "period": {"begin": 3}})
    for path in (("size",), ("period", "from"), ("period", "to")):  # "begin" may be anything
        with pytest.raises(Unclear):
            draft.read(*path)
    assert draft.read("name") == "a"
    assert draft.read("most") == 9
    assert not draft.given("size")
    assert draft.given("period")


def test_a_section_is_a_draft_of_its_own():
    draft = Draft(Drawing, {"name": 3, "period": {"from": "x", "to": 4}})
    assert draft.section("period", Period).read("to") == 4
    assert Draft(Drawing, {}).section("period", Period).settings == Period()
    with pytest.raises(Unclear):
        Draft(Drawing, {"perod": {}}).section("period", Period)
    with pytest.raises(Unclear):
        Draft(Drawing, {"period": 3}).section("period", Period)


def test_a_partial_has_what_is_clear_and_nothing_else():
    draft = Draft(Drawing, {"name": "a", "shapes": [{"kind": "box", "width": "x"}, {"kind": "ball"}, {"kind": "box"}]})
    box = draft.partial("shapes", 0)
    assert isinstance(box, Box)
    assert box.height == 1.0
    with pytest.raises(AttributeError):
        box.width  # noqa: B018
    with pytest.raises(Unclear):
        draft.partial("shapes", 1)
    assert draft.partial("shapes", 2) == Box()
    with pytest.raises(Unclear):
        draft.partial("name")


# --- Checks that pydantic does not reach ---


def test_a_check_runs_beside_mistakes_that_it_does_not_look_at():
    found = sentences({"name": 3, "size": 12, "shapes": [{"kind": "box"}]})
    assert found == {("name",): "got 3, expected a text; quote it: '3'", (): "size (12) is above most (9)"}


def test_a_check_does_not_run_where_it_looks_at_a_mistake():
    assert list(sentences({"name": "a", "size": 12, "most": "x"})) == [("most",), ()]
    assert sentences({"name": "a", "size": 12, "most": "x"})[()] == "size 12 without a shape"
    assert list(sentences({"name": "a", "size": 12, "most": "x", "shapes": 3})) == [("shapes",), ("most",)]


def test_checks_below_a_mistake_and_beside_it_run_too():
    data = {"name": 3, "period": {"from": 5, "to": 4}, "labels": {"x": {"from": 2, "to": 1, "too": 1}}}
    assert sentences(data) == {
        ("name",): "got 3, expected a text; quote it: '3'",
        ("period",): "'from' (5) is not before 'to' (4)",
        ("labels", "x", "too"): "unknown key 'too'; did you mean 'to'? Allowed: from, to",
        ("labels", "x"): "'from' (2) is not before 'to' (1)",
    }


def test_no_check_takes_a_default_for_what_a_misspelt_key_says():
    assert list(sentences({"name": "a", "size": 12, "mst": 20, "shapes": [{"kind": "box"}]})) == [("mst",)]


def test_nothing_is_said_twice():
    data = {"name": "a", "period": {"from": 5, "to": 4}, "size": 12, "shapes": [{"kind": "box"}]}
    problems = Draft(Drawing, data).problems
    assert len(problems) == len(set(problems)) == 2


def test_a_check_from_outside_ends_where_it_looks_at_a_mistake():
    def check(drawing):
        yield ("name",), f"is {drawing.name}"
        yield ("size",), f"is {drawing.size}"

    assert list(Draft(Drawing, {"name": "a"}).run(check)) == [(("name",), "is a"), (("size",), "is 3")]
    assert list(Draft(Drawing, {"name": "a", "size": 0}).run(check)) == [(("name",), "is a")]


def test_a_mistake_in_a_check_itself_is_not_hidden():
    def check(drawing):
        yield (), drawing.nobody

    with pytest.raises(AttributeError):
        list(Draft(Drawing, {"name": "a"}).run(check))


class Moment(Settings):
    at: Annotated[datetime.datetime, BeforeValidator(datetime.datetime.fromisoformat)]


def test_values_are_read_as_their_class_reads_them():
    draft = Draft(Moment, {"at": "2024-03-11", "on": 1})
    assert draft.read("at") == datetime.datetime.fromisoformat("2024-03-11")
