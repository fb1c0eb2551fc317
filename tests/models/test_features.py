import pytest

from tandem.models.features import (
    BagFeature,
    CategoricalFeature,
    CrossFeature,
    FeatureLayout,
    NumericFeature,
    Slots,
)


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


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (CategoricalFeature, {"hash_buckets": 5, "min_count": 2}, "there is no vocabulary, so leave out 'min_count'"),
        (CategoricalFeature, {"hash_buckets": 5, "vocabulary": "v", "oov_buckets": 2}, "'vocabulary', 'oov_buckets'"),
        (BagFeature, {"hash_buckets": 5, "vocabulary_size": 2}, "leave out 'vocabulary_size'"),
        (CrossFeature, {"of": ("a",)}, "at least 2"),
        (CrossFeature, {"of": ("a", "b", "a")}, "'of' has 'a' twice"),
        (BagFeature, {"columns": ("a", "b"), "column": "c"}, "'column' or 'columns', not both"),
        (BagFeature, {"columns": ("a", "a")}, "'columns' has 'a' twice"),
        (BagFeature, {"columns": ("a", "b"), "weights": "w"}, "'weights' go with one column"),
        (BagFeature, {"columns": ("a", "b"), "max_values": 1}, "'columns' are 2, but max_values is 1"),
        (BagFeature, {"weights": "w", "weight_separator": ":"}, "'weights' or 'weight_separator', not both"),
        (BagFeature, {"separator": ":", "weight_separator": ":"}, "must differ"),
    ],
)
def test_settings_that_do_not_go_together(cls, settings, message):
    with pytest.raises(ValueError, match=message):
        cls(name="x", **settings)


def test_what_is_written_of_a_feature_is_read_again():
    for feature in (
        CategoricalFeature(name="a", hash_buckets=5),
        CrossFeature(name="x", of=("a", "b"), min_count=3),
        BagFeature(name="b", columns=("c", "d"), weight_separator=":", keep="last"),
    ):
        assert type(feature).model_validate(feature.model_dump(mode="json")) == feature
