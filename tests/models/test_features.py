import pytest

from tandem.models.features import BagFeature, CategoricalFeature, FeatureLayout, NumericFeature, Slots


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


def test_a_number_is_scaled_or_bucketed_not_both():
    with pytest.raises(ValueError, match="not both"):
        NumericFeature(name="price", scaling="standard", buckets=10)


@pytest.mark.parametrize("name", ["a=b", "", "two words", "line\nbreak"])
def test_names_that_would_break_the_vocabulary_file_are_refused(name):
    with pytest.raises(ValueError, match="pattern"):
        CategoricalFeature(name=name)
