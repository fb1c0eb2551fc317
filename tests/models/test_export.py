import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch
from tandem.models.export import Signatures, export
from tandem.models.recipes import RECIPES
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.vocabulary import read_vocabulary

ASK = """
import json, sys
import tensorflow as tf
examples = [bytes.fromhex(line) for line in sys.stdin.read().split()]
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](examples=tf.constant(examples))
print(json.dumps({
    "answers": {name: values.numpy().tolist() for name, values in answer.items()},
    "ours": sorted({name.partition(".")[0] for name in sys.modules}
                   & {"tandem", "tensorflow_transform", "tfx", "tensorflow_recommenders"}),
}))
"""


def requests():
    def example(**columns):
        feature = {}
        for name, values in columns.items():
            if isinstance(values[0], bytes):
                feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
            else:
                feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    return [
        example(user=[b"u1"], price=[3.5], tags=[b"t1", b"t0"], age=[7.0], city=[b"Oslo"]),
        example(user=[b"nobody"], city=[b"nowhere"]),
        example(),
    ]


@pytest.fixture(scope="module")
def exported(layout, graph, transform_output, tmp_path_factory):
    def make(recipe):
        keras.utils.set_random_seed(3)
        tokens = len(read_vocabulary(transform_output))
        learner = build(ModelSettings(recipe=recipe, tower_layers=(8, 4)), graph, layout, tokens)
        examples = {"ids": tf.ones([2, layout.width], tf.int64), "numbers": tf.ones([2, 1])}
        learner.compute_loss(Batch(examples, tf.constant([[1, 0], [1, 1]])))
        path = os.fspath(tmp_path_factory.mktemp(recipe) / "model")
        export(learner.network, graph, layout, transform_output, path, {"code_version": "abc"})
        return learner, path

    return make


@pytest.mark.parametrize("recipe", ["mmoe_pico", "shared_bottom", "taml", "autoheri"])
def test_a_process_with_nothing_but_tensorflow_gets_the_networks_answers(exported, recipe, layout, transform_output):
    learner, path = exported(recipe)
    lines = "\n".join(request.hex() for request in requests())
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-c", ASK, path],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd="/",
    )
    answer = json.loads(result.stdout.splitlines()[-1])
    assert answer["ours"] == []

    signatures = Signatures(learner.network, transform_output, layout)
    raw = tf.io.parse_example(requests(), signatures._raw_spec)
    transformed = transform_output.transform_features_layer()(raw)
    expected = learner.network({name: transformed[name] for name in ("ids", "numbers")})
    assert set(answer["answers"]) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(answer["answers"][name], values, rtol=1e-5)


@pytest.mark.parametrize("recipe", ["mmoe_pico", "autoheri"])
def test_the_variables_stored_are_exactly_the_networks(exported, recipe):
    learner, path = exported(recipe)
    stored = [
        tuple(shape)
        for name, shape in tf.train.list_variables(f"{path}/variables/variables")
        if name.endswith("VARIABLE_VALUE")
    ]
    assert sorted(stored) == sorted(tuple(v.shape) for v in learner.network.variables)
    assert len(learner.variables) > len(learner.network.variables)


def operations(path):
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    model.ParseFromString(Path(path, "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    nodes = [node.op for node in graph.node] + [node.op for f in graph.library.function for node in f.node_def]
    return {kind: nodes.count(kind) for kind in nodes}


@pytest.mark.parametrize("recipe", sorted(name for name in RECIPES if f"{name}_pico" in RECIPES))
def test_pico_leaves_no_operation_behind(exported, recipe):
    plain, with_pico = (operations(exported(name)[1]) for name in (recipe, f"{recipe}_pico"))
    assert plain == with_pico


def test_the_folder_says_what_it_is(exported):
    _, path = exported("shared_bottom")
    description = json.loads(Path(path, "assets.extra", "tandem.json").read_text())
    assert description == {
        "outputs": ["click", "view_given_click", "click_and_view"],
        "inputs": ["age", "city", "price", "tags", "user"],
        "code_version": "abc",
    }
