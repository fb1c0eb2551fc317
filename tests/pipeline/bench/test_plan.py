import pytest

from tandem.models.recipes import RECIPES
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.models.variants import VARIANTS
from tandem.pipeline.bench.plan import make_plan, names
from tandem.pipeline.trials.trial import COMPARISONS, Trial

GRAPH = TaskGraph([Task(name="view"), Task(name="buy", given="view")])


def plan(chosen, seeds=1, first_seed=1, model=None, graph=GRAPH):
    return make_plan(chosen, seeds, first_seed, model or ModelSettings(), graph)


def test_all_recipes_by_default_and_no_ablation():
    runs = plan(None)
    assert sorted(run.system for run in runs) == sorted(RECIPES)
    assert [run.system for run in runs][:3] == ["single_dnn", "single_dnn_pico", "shared_bottom"]
    assert {run.variant for run in runs} == {None}


def test_seed_by_seed():
    assert plan(["mmoe", "ple"], seeds=2, first_seed=7) == [
        Trial("mmoe", None, 7),
        Trial("ple", None, 7),
        Trial("mmoe", None, 8),
        Trial("ple", None, 8),
    ]


def test_every_name_can_be_chosen_and_ablations_stand_behind_their_recipe():
    pytest.importorskip("lightgbm")
    runs = plan(names(), model=ModelSettings(tower_layers=(8, 4, 2)))
    assert [run.name for run in runs] == names()
    assert set(COMPARISONS) < set(names())
    start = names().index("ple_pico")
    assert names()[start + 1 : start + 1 + len(VARIANTS["ple_pico"])] == [f"ple_pico/{v}" for v in VARIANTS["ple_pico"]]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("mmoe*", ["mmoe", "mmoe_pico", "mmoe_tower_pico"]),  # the star stops at a slash
        ("mmoe_pico/no_*", ["mmoe_pico/no_contrast", "mmoe_pico/no_negatives"]),
        (
            "*/fixed_temperature",
            ["shared_bottom_pico/fixed_temperature", "mmoe_pico/fixed_temperature", "ple_pico/fixed_temperature"],
        ),
    ],
)
def test_patterns(pattern, expected):
    assert [run.name for run in plan([pattern])] == expected


def test_a_name_chosen_twice_runs_once():
    assert [run.name for run in plan(["mmoe", "mmoe_p*", "mmoe"])] == ["mmoe", "mmoe_pico"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["mmoe", "mmeo"], "unknown system 'mmeo'; did you mean 'mmoe'\\? Allowed: .*aitm.*lightgbm.*single_dnn"),
        (["mmoe/fixed_temperature"], "unknown system 'mmoe/fixed_temperature'; did you mean 'mmoe_pico/fixed_temp"),
        (["deep*"], "unknown system 'deep\\*'"),
        ([], "--systems: no name was given"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(chosen, message):
    with pytest.raises(ValueError, match=message):
        plan(chosen)


def test_at_least_one_seed():
    with pytest.raises(ValueError, match="--seeds: got 0, at least 1 is needed"):
        plan(["mmoe"], seeds=0)


def test_a_system_that_the_settings_do_not_fit_is_named():
    with pytest.raises(
        ValueError,
        match=r"mmoe_pico/second_layer: model.objectives.pico.tower_layer: got 1, the towers have layers 0 to 0",
    ):
        plan(["mmoe_pico/*"], model=ModelSettings(tower_layers=(8,)))


def test_lightgbm_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'lightgbm' needs a package that is not installed: pip install .\[bench\]"):
        plan(["lightgbm"])
