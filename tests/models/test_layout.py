import pytest

from tandem.models.features import BagFeature, CategoricalFeature, CrossFeature, NumericFeature
from tandem.models.layout import FeatureLayout, Slots


def test_rows_of_the_table_do_not_overlap(layout):
    # Row 0 is padding; age has 1 + 4 buckets; user 1, city 3 and tags 1 out-of-vocabulary rows; tokens follow.
    assert layout.first_bucket_row == {"age": 1}
    assert {name: v.first_oov_row for name, v in layout.vocabularies.items()} == {"user": 6, "city": 7, "tags": 10}
    assert layout.first_token_row == 11


def test_categories_come_first_then_buckets_then_bags(layout):
    assert layout.slots == {"user": Slots(0, 1), "city": Slots(1, 1), "age": Slots(2, 1), "tags": Slots(3, 3)}
    assert layout.width == 6
    assert layout.singles == 3
    assert layout.numbers == ("price",)


def test_features_can_share_a_vocabulary():
    layout = FeatureLayout(
        [CategoricalFeature(name="viewed", vocabulary="item"), BagFeature(name="history", vocabulary="item")]
    )
    assert list(layout.vocabularies) == ["item"]


def test_a_shared_vocabulary_must_be_described_alike():
    with pytest.raises(ValueError, match="feature 'b' shares vocabulary 'v' but asks for"):
        FeatureLayout(
            [CategoricalFeature(name="a", vocabulary="v"), CategoricalFeature(name="b", vocabulary="v", min_count=5)]
        )


def test_names_must_differ():
    with pytest.raises(ValueError, match=r"twice: \['a'\]"):
        FeatureLayout([CategoricalFeature(name="a"), NumericFeature(name="a")])


def test_hash_buckets_stand_between_the_vocabularies_and_their_tokens():
    layout = FeatureLayout(
        [
            BagFeature(name="tags", hash_buckets=10, max_values=2),
            CategoricalFeature(name="city", oov_buckets=3),
            CrossFeature(name="x", of=("city", "page"), hash_buckets=20),
            NumericFeature(name="age", buckets=4),
        ]
    )
    assert layout.first_bucket_row == {"age": 1}
    assert layout.vocabularies["city"].first_oov_row == 6
    assert list(layout.vocabularies) == ["city"]
    assert layout.first_hash_row == {"x": 9, "tags": 29}
    assert layout.first_token_row == 39
    assert layout.slots == {"city": Slots(0, 1), "x": Slots(1, 1), "age": Slots(2, 1), "tags": Slots(3, 2)}
    assert layout.columns == ("tags", "city", "page", "age")


def test_weights_of_bags_have_columns_of_their_own():
    layout = FeatureLayout(
        [
            BagFeature(name="a", weights="w", max_values=3),
            BagFeature(name="b", max_values=5),
            BagFeature(name="c", weight_separator=":", max_values=2, columns=("c1", "c2")),
        ]
    )
    assert layout.weight_slots == {"a": Slots(0, 3), "c": Slots(3, 2)}
    assert layout.weights_width == 5
    assert layout.columns == ("a", "b", "c1", "c2", "w")
