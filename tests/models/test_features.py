import pytest

from tandem.models.features import BagFeature, CategoricalFeature, CrossFeature, NumericFeature


def test_a_number_is_scaled_or_bucketed_not_both():
    with pytest.raises(ValueError, match="not both"):
        NumericFeature(name="price", scaling="standard", buckets=10)


@pytest.mark.parametrize("name", ["a=b", "", "two words", "line\nbreak"])
def test_names_that_would_break_the_vocabulary_file_are_refused(name):
    with pytest.raises(ValueError, match="pattern"):
        CategoricalFeature(name=name)


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
