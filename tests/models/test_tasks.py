import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.models.tasks import Task, TaskGraph

CHAIN = [Task(name="buy", given="view"), Task(name="click"), Task(name="view", given="click")]


def test_outputs_say_which_probability_they_are():
    outputs = {output.name: output for output in TaskGraph(CHAIN).outputs()}
    assert list(outputs) == ["click", "view_given_click", "buy_given_view", "click_and_view", "click_and_view_and_buy"]
    assert outputs["buy_given_view"].given == "view"
    assert outputs["click_and_view_and_buy"].given is None
    assert outputs["click_and_view_and_buy"].label == "buy"


def test_parents_come_before_children_whatever_the_order_of_the_configuration():
    assert TaskGraph(CHAIN).names == ("click", "view", "buy")


@given(st.permutations(range(8)), st.lists(st.integers(0, 8), min_size=8, max_size=8))
def test_tasks_are_ordered_by_depth_and_then_as_declared(declared, parents):
    """Task n is given a task below n, or none."""
    given_by = {n: parents[n] % (n + 1) - 1 for n in range(8)}
    tasks = [Task(name=f"t{n}", given=f"t{given_by[n]}" if given_by[n] >= 0 else None) for n in declared]

    def depth(n):
        return 0 if given_by[n] < 0 else 1 + depth(given_by[n])

    expected = sorted(declared, key=lambda n: (depth(n), declared.index(n)))
    assert TaskGraph(tasks).names == tuple(f"t{n}" for n in expected)


def test_a_circle_names_its_tasks_only():
    tasks = [Task(name="a", given="c"), Task(name="b", given="a"), Task(name="c", given="b"), Task(name="d", given="c")]
    with pytest.raises(ValueError, match=r"^the parents of \['a', 'b', 'c'\] form a circle$"):
        TaskGraph(tasks)


def test_all_parents_that_are_no_tasks_are_named():
    with pytest.raises(ValueError, match=r"'a' is given 'x'.*\n.*'b' is given 'y'"):
        TaskGraph([Task(name="a", given="x"), Task(name="b", given="y")])


def test_joint_probabilities_are_products_along_the_chain():
    answer = TaskGraph(CHAIN).probabilities({"click": 0.5, "view": 0.4, "buy": 0.1})
    assert answer == pytest.approx(
        {
            "click": 0.5,
            "view_given_click": 0.4,
            "buy_given_view": 0.1,
            "click_and_view": 0.2,
            "click_and_view_and_buy": 0.02,
        }
    )


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_joint_probability_never_exceeds_its_factors(values):
    own = dict(zip(("click", "view", "buy"), values, strict=True))
    answer = TaskGraph(CHAIN).probabilities(own)
    assert answer["click_and_view_and_buy"] <= answer["click_and_view"] <= answer["click"]


def test_siblings_share_a_parent_and_have_a_joint_probability_each():
    graph = TaskGraph([Task(name="click"), Task(name="like", given="click"), Task(name="share", given="click")])
    names = [output.name for output in graph.outputs()]
    assert names == ["click", "like_given_click", "share_given_click", "click_and_like", "click_and_share"]


def test_masks_are_the_parents_labels_unless_all_rows_train_the_task():
    graph = TaskGraph(
        [Task(name="click"), Task(name="a", given="click"), Task(name="b", given="click", train_on="all")]
    )
    labels = {"click": np.array([1, 0]), "a": np.array([1, 0]), "b": np.array([0, 0])}
    masks = graph.masks(labels)
    assert masks["click"] is None
    assert masks["b"] is None
    assert masks["a"].tolist() == [1, 0]


def test_joint_is_the_product_along_the_chain_for_labels_too():
    graph = TaskGraph([Task(name="a"), Task(name="b", given="a"), Task(name="c", given="b"), Task(name="d", given="a")])
    labels = {"a": np.array([1, 1, 0]), "b": np.array([1, 0, 1]), "c": np.array([1, 1, 1]), "d": np.array([0, 1, 1])}
    joint = graph.joint(labels)
    assert {name: values.tolist() for name, values in joint.items()} == {
        "a": [1, 1, 0],
        "b": [1, 0, 0],
        "c": [1, 0, 0],
        "d": [0, 1, 0],
    }


def test_a_label_may_be_called_otherwise_than_its_task():
    graph = TaskGraph([Task(name="ctr", label="click"), Task(name="cvr", label="purchase", given="ctr")])
    assert graph.labels == ("click", "purchase")
    assert graph.own_output("cvr").given == "click"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "at least one task"),
        ([Task(name="a"), Task(name="a")], "must differ"),
        ([Task(name="a", given="b")], "given 'b', which is no task"),
        ([Task(name="a", given="b"), Task(name="b", given="a")], "circle"),
        ([Task(name="a"), Task(name="b", given="a"), Task(name="a_and_b")], "same name"),
    ],
)
def test_tasks_that_do_not_fit_together_are_refused(tasks, message):
    with pytest.raises(ValueError, match=message):
        TaskGraph(tasks)


def test_a_name_that_cannot_be_an_output_is_refused():
    with pytest.raises(ValueError, match="lower-case letters"):
        Task(name="Click-Through")


def test_rows_weigh_what_the_logs_and_the_task_say():
    graph = TaskGraph([Task(name="click"), Task(name="buy", given="click", weight="price")])
    assert graph.weights(None) == {"click": (), "buy": ("price",)}
    assert graph.weights("kept") == {"click": ("kept",), "buy": ("kept", "price")}
    assert graph.weights("price") == {"click": ("price",), "buy": ("price",)}  # counts once
