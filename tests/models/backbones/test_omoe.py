import numpy as np
import tensorflow as tf

from tandem.models.backbones.mmoe import MMoE
from tandem.models.backbones.omoe import OMoE
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="a"), Task(name="b", given="a"), Task(name="c", given="a")])
X = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)


def test_equals_an_mmoe_whose_gates_are_equal():
    omoe = OMoE(GRAPH, OMoE.Settings(experts=4, expert_layers=(6, 3)))
    mmoe = MMoE(GRAPH, MMoE.Settings(experts=4, expert_layers=(6, 3)))
    states = omoe(tf.constant(X))
    mmoe(tf.constant(X))
    kernel, bias = omoe._gate.get_weights()
    mmoe._experts.set_weights(omoe._experts.get_weights())
    mmoe._gates.set_weights([np.tile(kernel, 3), np.tile(bias, 3)])
    expected = mmoe(tf.constant(X))
    for task in GRAPH.names:
        np.testing.assert_allclose(states.by_task[task], expected.by_task[task], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(states.aux[f"gate/{task}"], expected.aux[f"gate/{task}"], rtol=1e-5)


def test_with_one_expert_it_is_that_expert():
    omoe = OMoE(GRAPH, OMoE.Settings(experts=1))
    states = omoe(tf.constant(X)).by_task
    expert = omoe._experts(tf.constant(X))[:, 0]
    for task in GRAPH.names:
        np.testing.assert_allclose(states[task], expert, rtol=1e-6)
