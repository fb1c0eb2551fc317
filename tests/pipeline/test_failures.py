from pathlib import Path

import pytest

from tandem.pipeline.failures import ComponentFailed, paragraph, reason

BEAM = """Traceback (most recent call last):
  File "worker.py", line 300, in _execute
    response = task()
ValueError: inner

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "worker.py", line 1501, in process
    raise LogsError(
tandem.components.log_example_gen.sources.LogsError: clicks: 12 of 100 rows are bad
  no_impression 12 [while running 'Join/ParDo(Do)-ptransform-5']
"""

GRAPH = """in user code:

    File "learner.py", line 65, in compute_loss  *
        losses = self.losses_of(inputs)

    ValueError: Exception encountered when calling layer 'encoder' (type Encoder).

    in user code:

        File "encoder.py", line 71, in call  *
            embedded = self.embed(features)

        ValueError: shapes (2,) and (3,) do not fit


    Call arguments received by layer 'encoder' (type Encoder):
      \u2022 features={'ids': 'tf.Tensor'}
"""


class Refused(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError(BEAM), "clicks: 12 of 100 rows are bad\n  no_impression 12"),
        (ValueError(GRAPH), "shapes (2,) and (3,) do not fit"),
        (ValueError("3 rows are bad: a, b [while running 'Read/Map']"), "3 rows are bad: a, b"),
        (ValueError("two\nlines"), "two\nlines"),
        (Refused("the data do not fit"), "the data do not fit"),
        (KeyError("click"), "KeyError: 'click'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (FileNotFoundError(2, "No such file", "x.csv"), "[Errno 2] No such file: 'x.csv'"),
    ],
)
def test_reason(error, expected):
    assert reason(error) == expected


def test_the_paragraph_names_component_reason_and_log():
    text = paragraph(ComponentFailed("Trainer", ValueError("no rows")), Path("run.log"))
    assert text == "Trainer failed: no rows\nThe whole log: run.log"
