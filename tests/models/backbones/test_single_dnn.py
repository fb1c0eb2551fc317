import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.single_dnn import SingleDNN
from tandem.models.encoder import Encoder
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph

TOKENS = 40


def test_each_task_is_a_model_of_its_own(layout, graph, batch_of):
    """A model per task, put together by hand from the weights of the whole, answers the same."""
    keras.utils.set_random_seed(1)
    settings = ModelSettings(recipe="single_dnn", embedding_dim=4, tower_layers=(5,), backbone={"layers": (6, 3)})
    network = build(settings, graph, layout, TOKENS).network
    features, *_ = batch_of(graph, 12)
    logits = network.forward(features).logits

    table = network.encoder.weights[0].numpy()
    first, first_bias, second, second_bias = (w.numpy() for w in network._backbone.weights)
    for index, name in enumerate(graph.names):
        alone = Encoder(layout, table.shape[0], dim=4)
        alone(features)
        alone.set_weights([table[:, 4 * index : 4 * index + 4]])
        hidden, _ = (x.numpy() for x in alone(features))
        hidden = np.maximum(hidden @ first[index] + first_bias[index], 0)
        hidden = np.maximum(hidden @ second[index] + second_bias[index], 0)
        tower, tower_bias = (w.numpy() for w in network._towers[name].weights)
        head, head_bias = (w.numpy() for w in network._heads[name].weights)
        expected = np.maximum(hidden @ tower + tower_bias, 0) @ head + head_bias
        np.testing.assert_allclose(logits[name], expected[:, 0], rtol=1e-3, atol=1e-6)


def test_no_task_moves_a_weight_of_another(layout, graph, batch_of):
    keras.utils.set_random_seed(1)
    system = build(ModelSettings(recipe="single_dnn", cross_layers=1), graph, layout, TOKENS)
    batch = batch_of(graph, 12)
    with tf.GradientTape() as tape:
        loss = system.losses_of(batch, training=False)["click"].value
    network = system.network
    variables = [
        network.encoder._table,
        *network._backbone.weights,
        *network.encoder._cross[1][0].weights,
        *network._towers["view"].weights,
    ]
    table, *backbone_and_rest = tape.gradient(loss, variables, unconnected_gradients="zero")
    table = tf.convert_to_tensor(table).numpy()
    dim = table.shape[1] // 2
    assert np.abs(table[:, :dim]).max() > 0
    assert np.abs(table[:, dim:]).max() == 0
    backbone = backbone_and_rest[: len(network._backbone.weights)]
    assert all(np.abs(g[1]).max() == 0 for g in backbone)
    assert np.abs(backbone[0][0]).max() > 0
    assert all(np.abs(g).max() == 0 for g in backbone_and_rest[len(backbone) :])


def test_on_shared_embeddings_every_network_reads_the_same():
    graph = TaskGraph([Task(name="a"), Task(name="b")])
    backbone = SingleDNN(graph, SingleDNN.Settings(layers=(4,)))
    x = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    states = backbone(tf.constant(x)).by_task
    kernel = backbone.weights[0].numpy()
    np.testing.assert_allclose(states["a"], np.maximum(x @ kernel[:, :4], 0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(states["b"], np.maximum(x @ kernel[:, 4:], 0), rtol=1e-4, atol=1e-6)
