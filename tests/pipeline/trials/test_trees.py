import numpy as np

from tandem.pipeline.trials import trees


def test_trees_read_ids_numbers_and_the_weights_of_bags():
    features = {
        "bag_weights": np.array([[0.5]], np.float32),
        "ids": np.array([[3, 4]]),
        "numbers": np.array([[7.0]], np.float32),
    }
    assert trees._matrix(features).tolist() == [[3, 4, 7, 0.5]]
