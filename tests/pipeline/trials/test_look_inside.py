import numpy as np

from tandem.pipeline.trials.look_inside import BINS, by_labels


def test_values_are_told_apart_by_the_labels_that_are_1():
    values = np.array([0.1, 0.3, 0.5, 0.5, 0.9])
    labels = {"view": np.array([0, 0, 1, 1, 1]), "buy": np.array([0, 0, 0, 0, 1])}
    found = by_labels(values, labels)
    assert list(found) == ["none", "view", "view + buy"]
    assert {name: (each.rows, round(each.mean, 9)) for name, each in found.items()} == {
        "none": (2, 0.2),
        "view": (2, 0.5),
        "view + buy": (1, 0.9),
    }
    assert found["view"].counts[BINS // 2] == 2
    assert sum(found["none"].counts) == 2
    assert found["none"].highest == 1.0


def test_a_temperature_above_one_widens_the_bins():
    found = by_labels(np.array([0.5, 4.0]), {"view": np.array([0, 1])})
    assert {each.highest for each in found.values()} == {4.0}
    assert found["view"].counts[-1] == 1
