"""One run for real, on what the data part of the pipeline makes of small sample logs."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console
from sklearn.metrics import roc_auc_score

from tandem.models.tasks import TaskGraph
from tandem.pipeline.configuration.config import load
from tandem.pipeline.local import runner
from tandem.pipeline.sample_logs import write_sample_logs
from tandem.pipeline.trials import child, jobs
from tandem.pipeline.trials.report import read_report
from tandem.pipeline.trials.scoring import evaluate
from tandem.pipeline.trials.trial import Trial

ROOT = Path(__file__).resolve().parents[3]
PICO = Trial("mmoe_pico", None, 1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The configuration, the files of the data part, and a folder."""
    from tandem.pipeline.pipeline import create_data_pipeline

    folder = tmp_path_factory.mktemp("bench")
    write_sample_logs(folder / "logs", 3000)
    config = load(
        ROOT / "configs" / "sample.yaml",
        data=str(folder / "logs"),
        output=str(folder / "out"),
        overrides=[
            "training.batch_size=32",
            "training.epochs=1",
            "model.tower_layers=[8, 4]",
            "logs.max_bad_share=0.2",
        ],
    )
    console = Console(file=io.StringIO())
    with runner.working(config, "bench", console) as (console, _):
        artifacts, _ = runner.run_components(config, console, create_data_pipeline)
    return config, jobs.files_of(config, artifacts), folder / "bench"


def job_of(bench, *run):
    config, files, folder = bench
    (job,) = jobs.make_jobs(config, files, [Trial(*run)], folder)
    return job


def test_a_run_in_a_process_of_its_own(bench):
    job = job_of(bench, "ple_pico", "fixed_temperature", 3)
    child.run_job(job)
    report = read_report(job.result, job.digest)
    assert (report.system, report.variant, report.seed) == ("ple_pico", "fixed_temperature", 3)
    assert set(report.metrics) == {"click", "conversion_given_click", "click_and_conversion"}
    assert 0 < report.metrics["click"]["auc"] < 1
    assert report.parameters_trained > report.parameters_exported > 1000
    assert report.speed.examples > 0
    assert report.speed.whole_seconds > report.speed.seconds > 0
    assert report.latency_ms > 0
    assert sum(report.inside.gates["gate_groups/click"]) == pytest.approx(1, rel=1e-5)
    distributions = report.inside.temperatures["click/conversion"]
    assert [each.mean for each in distributions.values()] == [pytest.approx(0.05)] * len(distributions)
    rows = sum(each.rows for each in distributions.values())
    assert rows == report.metrics["click"]["example_count"]
    assert list(job.scratch.iterdir()) == []
    assert not job.checkpoint_dir.exists()


def test_lightgbm(bench):
    pytest.importorskip("lightgbm")
    job = job_of(bench, "lightgbm", None, 1)
    child.run_job(job)
    report = read_report(job.result, job.digest)
    assert report.metrics["click"]["example_count"] > 100
    assert report.metrics["click"]["auc"] > 0.4
    assert report.parameters_trained is None
    assert (report.speed.examples, report.speed.whole_seconds > 0) == (0, True)


def test_a_failure_is_told_in_words(bench):
    config, files, folder = bench
    missing = files.model_copy(update={"train": ["/nowhere/examples.gz"]})
    (job,) = jobs.make_jobs(config, files, [Trial("shared_bottom", None, 9)], folder)
    with pytest.raises(child.RunFailed, match=r"/nowhere/examples.gz.*its log: .*seed-9.log"):
        child.run_job(job.model_copy(update={"files": missing}))
    assert "Traceback" in job.log_file.read_text()


def test_the_digest_knows_what_a_run_depends_on(bench):
    config, files, folder = bench

    def digest(run=PICO, config=config, files=files):
        (job,) = jobs.make_jobs(config, files, [run], folder)
        return job.digest

    def changed(*overrides):
        return load(
            config.file,
            data=config.data_dir,
            output=config.output,
            overrides=["training.batch_size=32", "training.epochs=1", "model.tower_layers=[8, 4]", *overrides],
        )

    same = {digest(), digest(config=changed("training.checkpoint_minutes=1")), digest(config=changed("push={}"))}
    assert len(same) == 1
    others = [
        digest(Trial("mmoe_pico", None, 2)),
        digest(Trial("mmoe", None, 1)),
        digest(Trial("mmoe_pico", "fixed_temperature", 1)),
        digest(config=changed("training.learning_rate=0.1")),
        digest(config=changed("evaluation.group_by=item_id")),
        digest(files=files.model_copy(update={"train": files.evaluation})),
    ]
    assert len({*same, *others}) == 7
    lightgbm = Trial("lightgbm", None, 1)
    assert digest(lightgbm) == digest(lightgbm, config=changed("model.embedding_dim=4"))


def raw_example(**columns):
    def feature(value):
        if isinstance(value, float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))

    features = {name: feature(value) for name, value in columns.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_metrics_are_those_of_scikit_learn(bench, tmp_path):
    """Scores stand in the examples themselves, so that the answer does not depend on the order of the files."""
    graph = TaskGraph(bench[0].tasks)
    random = np.random.default_rng(0)
    click = random.integers(0, 2, 400)
    conversion = click * random.integers(0, 2, 400)
    score = np.round(random.random((2, 400)), 1).astype(np.float32)
    users = random.integers(0, 20, 400)
    weight = random.integers(0, 4, 400).astype(np.float32)
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in range(400):
            writer.write(
                raw_example(
                    click=int(click[row]),
                    conversion=int(conversion[row]),
                    user=[b"u%d" % users[row]] if row else [],
                    row=row,
                    weight=float(weight[row]),
                )
            )

    def answer(examples):
        rows = tf.io.parse_example(examples, {"row": tf.io.FixedLenFeature([], tf.int64)})["row"].numpy()
        return graph.probabilities(dict(zip(graph.names, score[:, rows], strict=True)))

    found = evaluate(answer, [str(tmp_path / "a.gz")], graph, "user")
    assert found["click"]["auc"] == pytest.approx(roc_auc_score(click, score[0]))
    clicked = click == 1
    assert found["conversion_given_click"]["auc"] == pytest.approx(
        roc_auc_score(conversion[clicked], score[1][clicked])
    )
    assert found["conversion_given_click"]["calibration"] == pytest.approx(
        score[1][clicked].astype(float).sum() / conversion.sum()
    )
    by_user = [roc_auc_score(click[1:][users[1:] == user], score[0][1:][users[1:] == user]) for user in set(users[1:])]
    assert found["click"]["gauc"] == pytest.approx(np.mean(by_user))
    assert found["click"]["gauc_rows_left_out"] == 1  # the row without a user

    nobody = evaluate(answer, [str(tmp_path / "a.gz")], graph, None)["click"]
    others = {name: value for name, value in found["click"].items() if not name.startswith("gauc")}
    assert nobody == pytest.approx(others, rel=1e-12)

    weighed = evaluate(answer, [str(tmp_path / "a.gz")], graph, "user", {"click": ("weight", "weight")})
    assert weighed["click"]["auc"] == pytest.approx(roc_auc_score(click, score[0], sample_weight=weight**2))
    assert weighed["conversion_given_click"] == found["conversion_given_click"]


def test_the_worker_is_light_to_import():
    code = "import json, sys; import tandem.pipeline.trials.worker; print(json.dumps('tensorflow' in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) is False
