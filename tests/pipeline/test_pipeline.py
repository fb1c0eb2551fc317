import json

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from tandem.pipeline.configuration.config import load
from tandem.pipeline.fingerprints import COMPONENTS, PROPERTY, fingerprint
from tandem.pipeline.pipeline import (
    create_data_pipeline,
    create_pipeline,
    set_apart,
    trainer_settings,
    transform_settings,
)

VALIDATION = (
    "logs.split={train: {before: 2024-03-07}, validation: {from: 2024-03-09, before: 2024-03-11}, "
    "eval: {from: 2024-03-13}}"
)


@pytest.fixture
def built(config_file, logs, tmp_path):
    """Builds the pipeline after some overrides; returns its components by name."""

    def build(*overrides):
        config = load(config_file, overrides=overrides)
        store = sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))
        pipeline = create_pipeline(config, root=str(tmp_path / "artifacts"), metadata=store)
        Compiler().compile(pipeline)
        return {component.id: component for component in pipeline.components}

    return build


def properties(component):
    """All that is in the component's cache key besides its inputs."""
    return {key: str(value) for key, value in component.exec_properties.items() if value is not None}


def changed(before, after):
    """The components that would run again for reasons of their own."""
    return {name for name in before if properties(before[name]) != properties(after[name])}


def test_the_components_stand_in_the_order_of_the_data(built):
    assert list(built()) == [
        "LogExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "Transform",
        "Trainer",
        "BlessedModel",
        "ModelEvaluator",
        "AtomicPusher",
        "RunReport",
    ]


def test_the_data_part_is_the_beginning_of_the_whole(config_file, logs, tmp_path):
    config = load(config_file)
    whole, part = (create(config, root=str(tmp_path)) for create in (create_pipeline, create_data_pipeline))
    assert part.pipeline_info.pipeline_name == whole.pipeline_info.pipeline_name  # a part of the cache's key
    names = [component.id for component in part.components]
    assert names == [component.id for component in whole.components][: len(names)]
    assert names[-1] == "Transform"
    for ours, theirs in zip(part.components, whole.components, strict=False):
        assert properties(ours) == properties(theirs)


def test_a_curated_schema_takes_the_place_of_the_inferred_one(built, tmp_path):
    (tmp_path / "shop.pbtxt").write_text("")
    names = set(built("schema_file=shop.pbtxt"))
    assert "CuratedSchema" in names
    assert "SchemaGen" not in names


def test_a_curated_schema_counts_by_its_text_and_knows_what_ingestion_makes(built, tmp_path):
    text = 'feature { name: "click" type: INT }'
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shop.pbtxt").write_text(text)
    here, there = (built(f"schema_file={folder}/shop.pbtxt")["CuratedSchema"] for folder in ("a", "b"))
    assert properties(here) == properties(there)
    made = here.exec_properties["schema_text"]
    assert made.startswith(text)
    own = ["conversion", "click_is_final", "conversion_is_final", "click_time_us", "conversion_time_us"]
    assert [line for line in made.splitlines() if "name:" in line][1:] == [
        f'  name: "{name}"' for name in (*own, "impression_time_us")
    ]


def test_a_curated_schema_that_is_none_is_named(built, tmp_path):
    (tmp_path / "shop.pbtxt").write_text("feature: city")
    with pytest.raises(ValueError, match=rf"{tmp_path}/shop\.pbtxt: the schema cannot be read: 1:10"):
        built("schema_file=shop.pbtxt")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.learning_rate=0.01", {"Trainer"}),
        ("training.max_steps=1", {"Trainer"}),
        ("model.recipe=mmoe", {"Trainer"}),
        ("tasks[1].loss_weight=0.5", {"Trainer"}),
        ("tasks[0].weight=play_time", {"LogExampleGen", "Transform", "Trainer"}),
        ("evaluation.thresholds[0].at_least=0.7", {"ModelEvaluator"}),
        ("evaluation.slices=[device]", {"ModelEvaluator"}),
        ("push.model_name=other", {"BlessedModel", "AtomicPusher"}),
        ("statistics.sample_rate=0.5", {"StatisticsGen"}),
        ("features[0].min_count=5", {"Transform", "Trainer"}),
        ("features[3].buckets=8", {"Transform", "Trainer"}),
        ("logs.max_bad_share=0.1", {"LogExampleGen"}),
        # A new column of the logs, and nothing else.
        ("evaluation.slices=[device, [device, hour], page]", {"LogExampleGen", "ModelEvaluator"}),
        ("data_dir=logs", set()),
        ("beam.args=[--direct_running_mode=in_memory]", set()),
        ("output=elsewhere", {"ExampleValidator", "BlessedModel", "AtomicPusher"}),
        ("statistics.drift=report", {"ExampleValidator"}),
        ("evaluation.final_labels_only=false", {"ModelEvaluator"}),
        ("logs.observed_until=2024-03-20", {"LogExampleGen"}),
    ],
)
def test_a_setting_reaches_only_what_depends_on_it(built, logs, override, expected):
    impressions = logs / "impressions-0.csv"
    impressions.write_text(impressions.read_text().replace("device", "device,page").replace("phone", "phone,p1"))
    # The report tells all settings; where the logs lie is the same in both ways of saying it.
    expected = expected if override.startswith("data_dir") else expected | {"RunReport"}
    assert changed(built(), built(override)) == expected


def test_new_logs_are_noticed(built, logs):
    before = built()
    (logs / "clicks-1.csv").write_text("impression_id,time_ms\ni2,1709251300000\n")
    assert changed(before, built()) == {"LogExampleGen"}


def test_every_component_is_stamped_with_what_it_runs(built, tmp_path):
    (tmp_path / "shop.pbtxt").write_text("")
    for components in (built(), built("schema_file=shop.pbtxt")):
        for name, component in components.items():
            assert component.exec_properties[PROPERTY] == fingerprint(COMPONENTS[name])


def test_places_are_set_apart(config_file, logs, tmp_path):
    pipeline = create_pipeline(load(config_file), root=str(tmp_path))
    assert set_apart(pipeline) == {
        "LogExampleGen": {"data_dir": str(logs)},
        "ExampleValidator": {"schema_file": None, "statistics_dir": str(tmp_path / "runs" / "shop" / "statistics")},
    }
    # The push folder stays: what is compared with, and whether there is something to push, is read from it.
    left = {
        key
        for component in pipeline.components
        for key, value in properties(component).items()
        if str(tmp_path) in value
    }
    assert left == {"push_dir", "settings"}  # the report tells where everything lies, and is made in every run


def test_the_report_is_told_where_unknown_values_stand(config_file):
    from tandem.models.layout import FeatureLayout
    from tandem.pipeline.report.settings import report_settings

    config = load(config_file)
    settings, layout = report_settings(config), FeatureLayout(config.features)
    assert settings.ids_width == layout.width
    assert {each.name: (each.start, each.width) for each in settings.looked_up} == {
        name: (layout.slots[name].start, layout.slots[name].width) for name in ("user_id", "item", "hour", "tags")
    }
    assert {each.name: each.first_oov_row for each in settings.vocabularies} == {
        name: vocabulary.first_oov_row for name, vocabulary in layout.vocabularies.items()
    }
    assert [output.name for output in settings.outputs] == ["click", "sale_given_click", "click_and_sale"]
    assert settings.periods == {"train": "before 2024-03-11", "eval": "from 2024-03-13"}


def test_the_report_looks_for_unknown_values_only_where_a_vocabulary_may_not_know_them(config_file):
    from tandem.models.layout import FeatureLayout
    from tandem.pipeline.report.settings import report_settings

    hashed = ["features[0].hash_buckets=50", "features[4]={name: x, kind: cross, of: [item, device], oov_buckets: 2}"]
    config = load(config_file, overrides=hashed)
    settings, layout = report_settings(config), FeatureLayout(config.features)
    assert {each.name: (each.start, each.width) for each in settings.looked_up} == {
        name: (layout.slots[name].start, layout.slots[name].width) for name in ("item", "x", "tags")
    }
    assert {each.name: each.oov_buckets for each in settings.vocabularies} == {"item": 1, "x": 2, "tags": 1}
    assert settings.ids_width == layout.width


def test_the_report_tells_settings_of_the_command_line(config_file):
    from tandem.pipeline.report.settings import report_settings

    configuration = report_settings(load(config_file, overrides=["training.seed=5"])).configuration
    assert "seed: 5" in configuration
    assert "before: '2024-03-11T00:00:00Z'" in configuration


def test_settings_are_plain_json(config_file):
    config = load(config_file)
    for settings in (transform_settings(config), trainer_settings(config)):
        assert json.loads(json.dumps(settings)) == settings


def test_the_transform_and_the_trainer_are_told_what_they_need(config_file):
    config = load(config_file)
    assert set(transform_settings(config)) == {"features", "labels", "weights", "ages"}
    assert transform_settings(config)["labels"] == ["click", "conversion"]
    settings = trainer_settings(config)
    asked = {"features", "tasks", "model", "training", "has_validation", "weighted", "aged", "code_version"}
    assert set(settings) == asked
    assert settings["has_validation"] is False
    assert trainer_settings(load(config_file, overrides=[VALIDATION]))["has_validation"] is True


def test_the_trainer_accepts_its_settings(config_file):
    from tandem.models.training.trainer import TrainerConfig

    config = load(config_file)
    accepted = TrainerConfig.model_validate(trainer_settings(config))
    assert accepted.features == config.features
    assert accepted.tasks == config.tasks
    assert accepted.training == config.training


@pytest.mark.parametrize(("overrides", "split"), [((), "eval"), ((VALIDATION,), "validation")])
def test_training_looks_at_the_validation_part_where_there_is_one(built, overrides, split):
    trainer = built(*overrides)["Trainer"]
    assert json.loads(trainer.exec_properties["train_args"])["splits"] == ["train"]
    assert json.loads(trainer.exec_properties["eval_args"])["splits"] == [split]


def test_the_folder_of_checkpoints_reaches_the_trainer(config_file, logs, tmp_path):
    from tandem.models.training.trainer import TrainerConfig

    for folder in (None, "/volume/checkpoints"):
        pipeline = create_pipeline(load(config_file), root=str(tmp_path), checkpoint_dir=folder)
        (trainer,) = [component for component in pipeline.components if component.id == "Trainer"]
        settings = json.loads(trainer.exec_properties["custom_config"])
        assert TrainerConfig.model_validate(settings).checkpoint_dir == folder
