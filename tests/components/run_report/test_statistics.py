import datetime

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from tandem.components.run_report import statistics

DATASET = """
datasets {
  num_examples: 10
  features {
    path { step: "price" } type: FLOAT
    num_stats { common_stats { num_non_missing: 8 num_missing: 2 } mean: 2.5 std_dev: 1.5 min: 1 max: 6 }
  }
  features {
    path { step: "tags" } type: STRING
    string_stats {
      common_stats { num_non_missing: 9 num_missing: 1 } unique: 3
      top_values { value: "a" frequency: 5 } top_values { value: "b" frequency: 4 }
    }
  }
  features { path { step: "none" } type: FLOAT num_stats { common_stats { num_missing: 10 } } }
  features {
    path { step: "time" } type: INT
    num_stats { common_stats { num_non_missing: 10 } min: 1709251200000000 max: 1709337600000000 }
  }
}
"""


def parsed():
    message = text_format.Parse(DATASET, statistics_pb2.DatasetFeatureStatisticsList())
    return statistics.parse("train", message.SerializeToString())


def test_numbers_and_categories():
    price, tags, none, _ = parsed()
    assert (price.kind, price.rows, price.missing, price.mean, price.low, price.high) == ("number", 10, 2, 2.5, 1, 6)
    assert (tags.kind, tags.missing, tags.distinct, tags.top) == ("category", 1, 3, (("a", 5), ("b", 4)))
    assert (none.missing, none.mean, none.low) == (10, None, None)


def test_the_span_of_a_split():
    utc = datetime.timezone.utc
    first, last = statistics.span(parsed(), "train", "time")
    assert (first, last) == (datetime.datetime(2024, 3, 1, tzinfo=utc), datetime.datetime(2024, 3, 2, tzinfo=utc))
    assert statistics.span(parsed(), "eval", "time") == (None, None)
    assert statistics.span(parsed(), "train", "none") == (None, None)
