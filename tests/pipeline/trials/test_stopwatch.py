from types import SimpleNamespace

import pytest

from tandem.pipeline.trials.stopwatch import Stopwatch


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def told():
    """Tells a stopwatch where training stands, after some seconds; the processor is busy twice as long."""
    wall, cpu = Clock(), Clock()
    stopwatch = Stopwatch(batch_size=10, wall=wall, cpu=cpu, least_steps=2)

    def tell(epoch, step, after, stage=0):
        wall.now += after
        cpu.now += 2 * after
        stopwatch(SimpleNamespace(epoch=epoch, step=step, stage=stage))

    tell.stopwatch = stopwatch
    return tell


def test_compiling_and_validation_do_not_count(told):
    told(0, 0, after=5)  # building
    told(0, 2, after=60)  # compiles
    told(0, 4, after=1)
    told(1, 0, after=30)  # validates
    told(1, 2, after=2)
    told(1, 4, after=3)
    speed = told.stopwatch.speed()
    assert (speed.examples, speed.seconds, speed.cpu_seconds, speed.whole_seconds) == (60, 6.0, 12.0, 101.0)


def test_every_stage_compiles_once(told):
    told(0, 0, after=0)
    told(0, 2, after=60)
    told(0, 4, after=1)
    told(0, 6, after=60, stage=1)
    told(0, 9, after=2, stage=1)
    assert (told.stopwatch.speed().examples, told.stopwatch.speed().seconds) == (50, 3.0)


def test_training_that_went_on_from_a_checkpoint_has_no_whole_time(told):
    told(0, 6, after=5)
    told(0, 8, after=60)
    told(0, 10, after=1)
    speed = told.stopwatch.speed()
    assert (speed.examples, speed.seconds, speed.whole_seconds) == (20, 1.0, None)


def test_too_few_steps_have_no_speed(told):
    told(0, 0, after=1)
    told(0, 3, after=1)
    assert told.stopwatch.speed().examples == 0
    told(0, 4, after=1)
    assert (told.stopwatch.speed().examples, told.stopwatch.speed().seconds) == (0, 0.0)
    told(0, 5, after=1)
    assert (told.stopwatch.speed().examples, told.stopwatch.speed().seconds) == (20, 2.0)
