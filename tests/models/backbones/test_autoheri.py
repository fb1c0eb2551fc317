import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.autoheri import AutoHERI
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph

# A chain of three, and a sibling of the second.
GRAPH = TaskGraph([Task(name="a"), Task(name="b", given="a"), Task(name="c", given="b"), Task(name="d", given="a")])
X = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
SIZES = (4, 3)


def autoheri(graph=GRAPH):
    backbone = AutoHERI(graph, AutoHERI.Settings(layers=SIZES))
    backbone(tf.constant(X))
    random = np.random.default_rng(3)
    backbone.set_weights([w + random.normal(scale=0.3, size=w.shape) for w in backbone.get_weights()])
    return backbone


def test_every_layer_takes_over_from_all_layers_of_all_ancestors_as_in_numpy():
    backbone = autoheri()
    kernel, bias = backbone._first.get_weights()
    states = backbone(tf.constant(X)).by_task
    layers = {}
    # By level: the tasks in it, and the ancestors of each.
    levels = [[("a", [])], [("b", ["a"]), ("d", ["a"])], [("c", ["a", "b"])]]
    position = {"a": 0, "b": 1, "d": 2, "c": 3}
    for level, tasks in zip(backbone._levels, levels, strict=True):
        for index, (task, ancestors) in enumerate(tasks):
            own = slice(4 * position[task], 4 * position[task] + 4)
            sums = [X @ kernel[:, own] + bias[own], None]
            columns = [slice(0, 4), slice(4, 7)]
            outputs = []
            for layer in range(2):
                if layer:
                    weights, biases = level._rest[0].get_weights()
                    sums[1] = outputs[0] @ weights[index] + biases[index]
                for a, ancestor in enumerate(ancestors):
                    for k in range(2):
                        weight = level.connections.numpy()[index, 2 * a + k, layer]
                        rows = slice(7 * a + 4 * k, 7 * a + 4 + 3 * k)
                        v = level._kernel.numpy()[index, rows, columns[layer]]
                        sums[layer] = sums[layer] + weight * layers[ancestor][k] @ v
                outputs.append(np.maximum(sums[layer], 0))
            layers[task] = outputs
            np.testing.assert_allclose(states[task], outputs[-1], rtol=1e-4, atol=1e-5)
    assert [tuple(w.shape) for w in backbone.connections] == [(2, 2, 2), (1, 4, 2)]


def test_with_all_connections_off_it_is_single_dnn_on_shared_embeddings(any_graph, layout, batch_of):
    """ESMM is that, with the same loss: answers and losses agree once the weights do."""
    keras.utils.set_random_seed(1)
    systems = {
        recipe: build(
            ModelSettings(recipe=recipe, tower_layers=(5,), backbone={"layers": (6, 3)}), any_graph, layout, 40
        )
        for recipe in ("autoheri", "esmm")
    }
    batch = batch_of(any_graph, 32)
    for system in systems.values():
        system.compute_loss(batch)
    searched, plain = systems["autoheri"].network, systems["esmm"].network
    before = searched(batch[0])
    for connections in searched.backbone.connections:
        connections.assign(tf.zeros_like(connections))
    rest = [level._rest[0].get_weights() for level in searched.backbone._levels]
    plain.backbone.set_weights(
        [*searched.backbone._first.get_weights(), *(np.concatenate(parts) for parts in zip(*rest, strict=True))]
    )
    for part in ("encoder", "_towers", "_heads"):
        mine, other = getattr(searched, part), getattr(plain, part)
        pairs = [(mine[name], other[name]) for name in any_graph.names] if part != "encoder" else [(mine, other)]
        for source, target in pairs:
            target.set_weights(source.get_weights())
    answers = searched(batch[0])
    for name, values in plain(batch[0]).items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-5)
    losses, expected = (systems[name].losses_of(batch, training=False) for name in ("autoheri", "esmm"))
    for name, loss in expected.items():
        np.testing.assert_allclose(losses[name].value, loss.value, rtol=1e-5)
    # And the connections did something before: to children, and not to the root.
    root, child = any_graph.names[:2]
    np.testing.assert_allclose(before[root], answers[root], rtol=1e-5)
    own = any_graph.own_output(child).name
    assert np.abs(before[own] - answers[own]).max() > 1e-6


def test_a_task_reads_its_ancestors_and_no_sibling():
    backbone = autoheri()
    kernel = backbone._first.kernel
    reads = {}
    for task in GRAPH.names:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(backbone(tf.constant(X)).by_task[task] ** 2)
        by_task = np.abs(tape.gradient(loss, kernel).numpy()).reshape(7, 4, 4).max(axis=(0, 2))
        reads[task] = {name for name, largest in zip(GRAPH.names, by_task, strict=True) if largest > 0}
    assert reads == {"a": {"a"}, "b": {"a", "b"}, "d": {"a", "d"}, "c": {"a", "b", "c"}}


def test_connections_are_part_of_the_network_and_not_trained():
    backbone = autoheri()
    assert len(backbone.connections) == 2
    assert {v.ref() for v in backbone.connections} == {v.ref() for v in backbone.non_trainable_variables}
    names = [variable.name for variable in backbone.variables]
    assert len(set(names)) == len(names)


def test_tasks_without_a_parent_have_nothing_to_search():
    backbone = autoheri(TaskGraph([Task(name="a"), Task(name="b")]))
    assert backbone.connections == []
    assert [level.connections for level in backbone._levels] == [None]
