"""The lines of the closing table that are about the logs."""

from collections import Counter

from tandem.components.log_example_gen.counts import Counts
from tandem.pipeline.configuration.config import load
from tandem.pipeline.local.collect import counts


def test_what_is_doubtful_of_the_logs_stands_below_their_sums(tmp_path):
    found = Counts(
        rows=Counter(clicks=100, impressions=400),
        outcomes={
            "clicks": Counter(attached=60, before_impression=40),
            "impressions": Counter({"examples.train": 300, "examples.eval": 100}),
        },
        positives={"train": Counter(click=50, order=9), "eval": Counter(click=10)},
        leads={"clicks": Counter({"600": 40})},
    )
    (tmp_path / "counts.json").write_text(found.to_json())
    config = load("sample", str(tmp_path))
    lines = counts(config, str(tmp_path))
    assert lines[:2] == [
        "impressions  400 rows = 400 examples (train 300, eval 100)",
        "clicks       100 rows = 60 attached + 40 before_impression",
    ]
    assert "clicks: 40% of them (40 of 100) come up to 10 minutes before the impression" in lines[2]
    assert f"label '{config.labels()[1].name}' is 0 in all 100 rows of 'eval': no AUC can be computed there" in lines
