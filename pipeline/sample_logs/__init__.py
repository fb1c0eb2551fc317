"""Sample logs with known truth: impressions, clicks, carts and conversions of an invented shop."""

from tandem.pipeline.sample_logs.behaviour import CLICK_WINDOW_HOURS, CONVERSION_WINDOW_HOURS, late_conversion_share
from tandem.pipeline.sample_logs.generator import GENERATOR_VERSION, MIN_IMPRESSIONS, write_sample_logs
from tandem.pipeline.sample_logs.truth import Reachable, SampleTruth, StreamCounts, read_summary
from tandem.pipeline.sample_logs.world import CART_RATE, CLICK_RATE, CONVERSION_RATE, DAYS, EVAL_START, START

__all__ = [
    "CART_RATE",
    "CLICK_RATE",
    "CLICK_WINDOW_HOURS",
    "CONVERSION_RATE",
    "CONVERSION_WINDOW_HOURS",
    "DAYS",
    "EVAL_START",
    "GENERATOR_VERSION",
    "MIN_IMPRESSIONS",
    "START",
    "Reachable",
    "SampleTruth",
    "StreamCounts",
    "late_conversion_share",
    "read_summary",
    "write_sample_logs",
]
