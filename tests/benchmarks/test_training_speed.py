"""The benchmark compares what it says it compares."""

import numpy as np
import pytest

from benchmarks.training_speed import plain_keras, systems, workload
from tandem.models.batch import RowFormat
from tandem.models.training.dataset import read_examples


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The workload, with few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workload, "TRAIN_ROWS", 8 * 1024)
        patch.setattr(workload, "TEST_ROWS", 2048)
        yield workload.load(tmp_path_factory.mktemp("workload"))


def test_the_files_hold_the_rows_that_the_peers_are_given(small):
    files = sorted(str(path) for path in (small.folder / "examples").iterdir())
    ids, labels = small.train
    batches = list(read_examples(files[:1], RowFormat(workload.layout(), 2), batch_size=1024))
    rows = np.concatenate([batch.features["ids"].numpy() for batch in batches])
    np.testing.assert_array_equal(rows, ids[: len(rows)] + workload.first_rows())
    np.testing.assert_array_equal(np.concatenate([batch.labels.numpy() for batch in batches]), labels[: len(rows)])
    assert len(files) == workload.FILES


def test_every_value_has_a_row_of_its_own_and_none_is_left_over():
    first, sizes = workload.first_rows(), np.array(list(workload.CARDINALITIES.values()))
    assert (np.diff(first) == sizes[:-1]).all()
    assert first[0] == workload.layout().first_token_row


def test_what_happens_is_nested_and_can_be_learned(small):
    _, labels = small.train
    assert (labels[:, 1] <= labels[:, 0]).all()
    assert 0.03 < labels[:, 0].mean() < 0.05
    assert small.best_auc["click"] > 0.75


def test_ours_trains_as_many_steps_as_asked_and_predicts(small):
    system = systems.create("tandem/shared_bottom", small, seed=1)
    for chunk in range(2):
        system.train(8, chunk)  # a pass
        assert int(system._learner.optimizer.iterations) == 8 * (chunk + 1)
    assert system.predict(small.test[0]).shape == (2048, 2)


@pytest.mark.parametrize("kind", plain_keras.BUILDERS)
def test_plain_keras_has_the_sizes_that_ours_has(small, kind):
    learner = systems.create(f"tandem/{kind}", small, seed=1).build()
    plain = plain_keras.BUILDERS[kind]()
    tables = learner.network.encoder.table.shape[1] // systems.DIM
    unused = workload.layout().first_token_row * systems.DIM * tables  # rows of padding and of unknown values
    only_trained = 2 if kind.startswith("man") else 0  # the losses' weights, which are no part of our network
    assert plain.count_params() - only_trained == sum(w.size for w in learner.network.get_weights()) - unused


@pytest.mark.parametrize("kind", ["autoheri", "man", "man+last_stage"])
def test_a_stage_of_plain_keras_trains_what_that_stage_of_ours_trains(small, kind):
    learner = systems.create(f"tandem/{kind}", small, seed=1).build()
    step = learner.steps[-1 if kind.endswith("last_stage") else 0]
    trained = sum(variable.shape.num_elements() for variable in step.trained(learner))
    embeddings = sum(workload.CARDINALITIES.values()) * systems.DIM if step.trains_embeddings else 0
    plain = plain_keras.BUILDERS[kind]()
    assert sum(variable.shape.num_elements() for variable in plain.trainable_variables) == trained + embeddings


def test_the_peer_of_man_meta_learns_and_its_variables_are_its_own_again(small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_keras, "CARDINALITIES", dict.fromkeys(workload.CARDINALITIES, 3))
        model = plain_keras.man()
    model.compile("sgd")
    rows = {name: np.arange(8) % 3 for name in workload.CARDINALITIES}
    labels = [np.array([1.0] * 4 + [0.0] * 4, np.float32), np.array([1.0, 0.0, 1.0, 0.0] + [0.0] * 4, np.float32)]
    variables = [variable.ref() for variable in model.trainable_variables]
    losses = model.fit(rows, labels, batch_size=8, epochs=30, verbose=0).history["loss"]
    assert [variable.ref() for variable in model.trainable_variables] == variables
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["tandem/mmoe+fast", "keras/lstm", "tandem/mmoe+last_stage", "torch/mmoe", "mmoe"])
def test_an_unknown_system_is_refused_with_what_there_is(small, name):
    with pytest.raises(ValueError, match=rf"there is no system '{name.replace('+', '.')}'; there are tandem/RECIPE"):
        systems.create(name, small, seed=1)
