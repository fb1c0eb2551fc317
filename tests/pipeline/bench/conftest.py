import pytest

from tandem.pipeline.bench.report import Inside, Report, Speed


@pytest.fixture
def report():
    """Makes the report of a run, of three outputs."""

    def make(system, variant=None, seed=1, auc=0.6, digest="d", **changed):
        names = ("auc", "gauc", "log_loss", "calibration")
        values = dict(zip(names, (auc, 0.55, 0.2, 1.1), strict=True)) | {"example_count": 900.0, "positive_count": 40.0}
        return Report(
            system=system,
            variant=variant,
            seed=seed,
            digest=digest,
            metrics={"view": values, "buy_given_view": values | {"gauc": None}, "view_and_buy": values},
            **{
                "parameters_trained": 1200,
                "parameters_exported": 1000,
                "speed": Speed(examples=1000, seconds=2.0, cpu_seconds=4.0, whole_seconds=9.0),
                "latency_ms": 3.0,
                "inside": Inside(),
                **changed,
            },
        )

    return make
