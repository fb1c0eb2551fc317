import numpy as np
import tensorflow as tf

from tandem.components.run_report import vocabularies
from tandem.components.run_report.settings import LookedUpFeature, VocabularySettings
from tandem.models import layout, vocabulary

CITY, TAGS = (
    LookedUpFeature(name="city", vocabulary="city", start=0, width=1),
    LookedUpFeature(name="tags", vocabulary="tag", start=1, width=3),
)
VOCABULARIES = (
    VocabularySettings(name="city", limit=None, min_count=2, first_oov_row=1, oov_buckets=2),
    VocabularySettings(name="tag", limit=9, min_count=1, first_oov_row=3, oov_buckets=1),
)


def test_names_are_those_of_the_models():
    assert f"transform_fn/assets/{vocabulary.FILE_NAME}" == vocabularies.VOCABULARY_FILE
    assert vocabularies.IDS == layout.IDS
    assert vocabularies.PADDING == layout.PADDING


def test_sizes_by_the_lines_of_the_file():
    found = vocabularies.sizes([b"city=a=b", b"city=c", b"tag=city=x"], VOCABULARIES, [CITY, TAGS])
    assert [(each.name, each.values, each.features) for each in found] == [
        ("city", 2, ("city",)),
        ("tag", 1, ("tags",)),
    ]


def test_unknown_values_are_counted_by_their_ids():
    # City: known, two kinds of unknown, unknown. Tags: 0 is no value, 3 the one unknown.
    ids = np.array([[4, 3, 5, 0], [1, 0, 0, 0], [2, 3, 3, 6], [2, 7, 0, 0]])
    city, tags = vocabularies.unknown_values([ids[:1], ids[1:]], "eval", VOCABULARIES, [CITY, TAGS])
    assert (city.rows, city.values, city.unknown) == (4, 4, 3)
    assert (tags.rows, tags.values, tags.unknown) == (4, 6, 3)


def test_large_splits_are_sampled_evenly(tmp_path):
    files = []
    for number in range(2):
        files.append(str(tmp_path / f"{number}.gz"))
        with tf.io.TFRecordWriter(files[-1], "GZIP") as writer:
            for row in range(number * 50, number * 50 + 50):
                ids = tf.train.Feature(int64_list=tf.train.Int64List(value=[row, row]))
                writer.write(tf.train.Example(features=tf.train.Features(feature={"ids": ids})).SerializeToString())
    everything = np.concatenate(list(vocabularies.read_ids(files, 2, 100)))
    assert everything.tolist() == [[row, row] for row in range(100)]
    sample = np.concatenate(list(vocabularies.read_ids(files, 2, 100, sample_rows=30)))
    assert sample[:, 0].tolist() == list(range(0, 100, 4))
