import datetime
import io
import logging

import pytest
from rich.console import Console

from tandem.pipeline.local.progress import LiveProgress, PlainProgress, advancing, counting, create, working

NOW = datetime.datetime(2024, 3, 1, 9, 30, 5, tzinfo=datetime.timezone.utc)
LOG = logging.getLogger("tandem.anything")


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=80)


@pytest.fixture
def plain(console, clock):
    with PlainProgress(console, ["Read", "Train"], clock, lambda: NOW) as progress:
        yield progress


def written(console):
    return console.file.getvalue().splitlines()


def test_plain_lines_tell_start_messages_and_end(plain, console, clock):
    plain.start("Read")
    LOG.info("read %d rows", 5)
    clock.now += 3
    plain.finish("Read", "done")
    plain.start("Train")
    plain.finish("Train", "cached")
    assert written(console) == [
        "09:30:05  Read   started (1 of 2)",
        "09:30:05  Read   read 5 rows",
        "09:30:05  Read   done in 3.0 s",
        "09:30:05  Train  started (2 of 2)",
        "09:30:05  Train  cached: nothing has changed",
    ]


def test_messages_that_come_too_fast_are_thinned_and_the_last_is_told_at_the_end(plain, console, clock):
    plain.start("Read")
    for number in range(100):
        LOG.info("message %d", number)
    said = [line for line in written(console) if "message" in line]
    assert len(said) == 12
    plain.finish("Read", "done")
    assert written(console)[-2].endswith("message 99")


def test_messages_are_allowed_again_after_a_while(plain, console, clock):
    plain.start("Read")
    for number in range(100):
        LOG.info("message %d", number)
    clock.now += 2
    LOG.info("later")
    LOG.info("too soon")
    assert written(console)[-1].endswith("later")


def test_warnings_are_always_told(plain, console):
    plain.start("Read")
    for number in range(100):
        LOG.warning("warning %d", number)
    assert len([line for line in written(console) if "warning" in line]) == 100


def test_debug_messages_and_other_loggers_are_not_told(plain, console):
    plain.start("Read")
    LOG.debug("detail")
    logging.getLogger("tensorflow").warning("noise")
    assert len(written(console)) == 1


def test_a_heartbeat_after_15_silent_seconds(plain, console, clock):
    plain.start("Read")
    LOG.info("half way")
    clock.now += 14
    plain.beat()
    assert len(written(console)) == 2
    clock.now += 1
    plain.beat()
    plain.beat()
    assert written(console)[2:] == ["09:30:05  Read   running for 15 s: half way"]


def test_markup_in_messages_is_text(plain, console):
    plain.start("Read")
    LOG.info("columns [a] [/b]")
    assert written(console)[-1].endswith("columns [a] [/b]")


def test_a_failure_is_told(plain, console, clock):
    plain.start("Read")
    clock.now += 70
    plain.finish("Read", "failed")
    assert written(console)[-1] == "09:30:05  Read   FAILED after 1 min 10 s"


def test_the_loggers_are_left_as_they_were(console):
    logger = logging.getLogger("tandem")
    before = (logger.level, logger.handlers[:])
    with PlainProgress(console, ["Read"]):
        assert logger.handlers != before[1]
    assert (logger.level, logger.handlers) == before


def test_the_live_table_shows_every_component(clock):
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with LiveProgress(console, ["Read", "Join", "Train", "Push"], clock) as progress:
        progress.start("Read")
        progress.finish("Read", "cached")
        progress.start("Join")
        clock.now += 65
        progress.finish("Join", "done")
        progress.start("Train")
        LOG.info("epoch [1] of 2")
        clock.now += 4
        plain = Console(file=io.StringIO(), width=80)
        plain.print(progress.table())
        rows = [line.split() for line in plain.file.getvalue().splitlines()]
        progress.finish("Train", "failed")
    assert rows[0] == ["✓", "Read", "cached"]
    assert rows[1] == ["✓", "Join", "1", "min", "05", "s"]
    assert rows[2][1:] == ["Train", "4.0", "s", "epoch", "[1]", "of", "2"]
    assert rows[3] == ["·", "Push"]


def test_a_terminal_gets_the_live_table_anything_else_lines(console):
    assert isinstance(create(Console(file=io.StringIO(), force_terminal=True), ["Read"]), LiveProgress)
    assert isinstance(create(console, ["Read"]), PlainProgress)


def test_working_and_counting_write_lines(console):
    with working(console, "loading"):
        pass
    with counting("rows", console) as report:
        report(500, 1000)
    assert [line.split("  ", 1)[1] for line in written(console)] == ["loading", "rows: 500 of 1,000"]


def test_what_advances_is_told_now_and_then_with_its_speed(console, clock):
    with advancing("rows", console, clock) as report:
        for seconds, done in ((102, 1000), (110, 45_000), (112, 46_000)):
            clock.now = seconds
            report(done)
    (line,) = written(console)
    assert line.endswith("  rows: 45,000 so far, 4,500 rows/s")
