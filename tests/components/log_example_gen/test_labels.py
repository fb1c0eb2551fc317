"""The order of labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.log_example_gen.labels import ancestors, parents_first
from tandem.components.log_example_gen.settings.columns import Label
from tandem.components.log_example_gen.sources import LogsError


def test_generations_stand_one_after_the_other_each_as_it_was_given() -> None:
    labels = [
        Label(name="buy", parent="view"),
        Label(name="like", parent="click"),
        Label(name="view", parent="click"),
        Label(name="share"),
        Label(name="click"),
        Label(name="rate", parent="like"),
    ]
    assert [label.name for label in parents_first(labels)] == ["share", "click", "like", "view", "buy", "rate"]
    assert ancestors(labels)["buy"] == ("view", "click")
    assert ancestors(labels)["share"] == ()


@given(st.permutations(range(6)), st.lists(st.integers(-1, 4), min_size=6, max_size=6))
def test_every_label_stands_after_its_parent(order: list[int], parents: list[int]) -> None:
    # The parent of number i is one with a smaller number, or none.
    tree = {i: min(parent, i - 1) for i, parent in enumerate(parents)}
    labels = [Label(name=f"l{i}", parent=f"l{tree[i]}" if tree[i] >= 0 else None) for i in order]
    ordered = parents_first(labels)
    assert sorted(label.name for label in ordered) == [f"l{i}" for i in range(6)]

    def depth(i: int) -> int:
        return 0 if tree[i] < 0 else 1 + depth(tree[i])

    place = {f"l{i}": (depth(i), order.index(i)) for i in range(6)}
    assert [label.name for label in ordered] == sorted(place, key=place.__getitem__)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([Label(name="a", parent="a")], r"the parents of the labels \['a'\] form a circle"),
        (
            [Label(name="c"), Label(name="a", parent="b"), Label(name="b", parent="a"), Label(name="d", parent="a")],
            r"the parents of the labels \['a', 'b'\] form a circle",
        ),
        ([Label(name="a", parent="x")], r"label 'a' has the parent 'x', which is no label; there are \['a'\]"),
        ([Label(name="a"), Label(name="a")], r"labels must have different names, got \['a', 'a'\]"),
    ],
)
def test_what_is_no_tree_is_refused(labels: list[Label], message: str) -> None:
    with pytest.raises(LogsError, match=message):
        parents_first(labels)
