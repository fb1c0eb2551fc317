import pytest

from tandem.models.recipe_check import check, problems_of
from tandem.models.recipes import RECIPES
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.validation.draft import Draft

GRAPH = TaskGraph([Task(name="click"), Task(name="view", given="click")])

recipes = pytest.mark.parametrize("recipe", sorted(RECIPES))


def problems(**settings):
    return check(ModelSettings(**settings), GRAPH)


@recipes
def test_a_recipe_takes_its_defaults(recipe):
    assert problems(recipe=recipe) == []


@recipes
@pytest.mark.parametrize(
    ("settings", "path", "sentence"),
    [
        ({"backbone": {"exprets": 2}}, ("model", "backbone", "exprets"), "unknown key 'exprets'; "),
        (
            {"objectives": {"distill": {}}},
            ("model", "objectives", "distill"),
            "recipe '{}' has no objective 'distill'; ",
        ),
        ({"steps": {"warm_up": {}}}, ("model", "steps", "warm_up"), "recipe '{}' has no stage 'warm_up'; "),
        ({"balancer": {"temprature": 2}}, ("model", "balancer", "temprature"), "unknown key 'temprature'; "),
    ],
)
def test_unknown_settings_are_refused_with_what_is_allowed(recipe, settings, path, sentence):
    ((where, found),) = problems(recipe=recipe, **settings)
    assert where == path
    assert found.startswith(sentence.format(recipe))
    assert "llowed: " in found


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"recipe": "mmoe", "backbone": {"experts": 0, "expert_layers": [8, "x"]}},
            [
                (("model", "backbone", "experts"), "got 0, expected a whole number >= 1"),
                (("model", "backbone", "expert_layers", 1), "got 'x', expected a whole number >= 1"),
            ],
        ),
        (
            {"recipe": "ple", "backbone": {"shared_experts": 0, "task_experts": 0}},
            [(("model", "backbone"), "shared_experts and task_experts are both 0; a task needs an expert")],
        ),
        (
            {"recipe": "mmoe_pico", "objectives": {"pcio": {}}},
            [
                (
                    ("model", "objectives", "pcio"),
                    "recipe 'mmoe_pico' has no objective 'pcio'; did you mean 'pico'? Allowed: pico",
                )
            ],
        ),
        (
            {"recipe": "mmoe", "objectives": {"tower_pico": {}}},
            [
                (
                    ("model", "objectives", "tower_pico"),
                    "recipe 'mmoe' has no objective 'tower_pico'; allowed: none; there is one in mmoe_tower_pico",
                )
            ],
        ),
        (
            {"recipe": "man", "steps": {"meta": {"inner_learning_rate": 0}}},
            [(("model", "steps", "meta", "inner_learning_rate"), "got 0, expected a number > 0")],
        ),
        (
            {"recipe": "man", "steps": {"meta": {"share": 0}}},
            [
                (
                    ("model", "steps"),
                    "got a mapping (key 'meta'), with which no stage trains the embeddings and the layers above them; "
                    "the stages of recipe 'man' are ['meta', 'fine_tune']",
                )
            ],
        ),
        ({"recipe": "man", "steps": {"meta": {"share": 0}, "fine_tune": {"part": "all"}}}, []),
    ],
)
def test_what_is_wrong_stands_where_it_is_wrong(settings, expected):
    assert problems(**settings) == expected


def test_all_problems_at_once():
    found = problems(
        recipe="mmoe_pico",
        tower_layers=(8,),
        backbone={"experts": "3"},
        objectives={"pico": {"betta": 1, "tower_layer": 1, "pairs": [["click", "buy"]], "temperature_low": 2}},
    )
    assert {path for path, _ in found} == {
        ("model", "backbone", "experts"),
        ("model", "objectives", "pico"),  # the temperatures are not in order
        ("model", "objectives", "pico", "betta"),
        ("model", "objectives", "pico", "tower_layer"),
        ("model", "objectives", "pico", "pairs", 0),
    }
    assert len(found) == 5


# --- A recipe that nobody knows ---


def of_unknown(recipe, **settings):
    (first, *others) = problems(recipe=recipe, **settings)
    assert first[0] == ("model", "recipe")
    return first[1], {path[1:]: sentence for path, sentence in others}


def test_an_unknown_recipe_is_answered_with_the_nearest_and_the_list():
    sentence, others = of_unknown("mmoee")
    assert sentence.startswith("unknown recipe 'mmoee'; did you mean 'mmoe'? Allowed: aitm, aitm_pico, ")
    assert others == {}
    assert of_unknown("transformer")[0].startswith("unknown recipe 'transformer'; allowed: aitm, ")


@pytest.mark.parametrize("recipe", ["mmoee_pico", "transformer"])
def test_objectives_and_stages_are_checked_by_their_names_all_the_same(recipe):
    _, others = of_unknown(
        recipe,
        objectives={"pico": {"beta": -1, "tower_layer": 7}, "calibrator": {"weight": 2}, "pcio": {}},
        steps={"meta": {"shaer": 0.5}, "metta": {}},
    )
    assert others == {
        ("objectives", "pico", "beta"): "got -1, expected a number >= 0",
        ("objectives", "pico", "tower_layer"): "got 7, the towers have layers 0 to 2",
        ("objectives", "pcio"): "unknown objective 'pcio'; did you mean 'pico'? "
        "Allowed: calibrator, pico, self_distillation, tower_pico",
        ("steps", "meta", "shaer"): "unknown key 'shaer'; did you mean 'share'? "
        "Allowed: inner_learning_rate, second_order, share",
        ("steps", "metta"): "unknown stage 'metta'; did you mean 'meta'? Allowed: fine_tune, meta, plain, search",
    }


def test_settings_of_the_backbone_that_some_other_recipe_takes_are_no_mistake():
    _, others = of_unknown("mmoee", backbone={"levels": 2, "exprets": 3}, balancer={"learned": False, "lernt": 1})
    assert others == {
        ("backbone", "exprets"): "unknown key 'exprets'; did you mean 'experts'? Allowed: expert_layers, experts",
        ("balancer", "lernt"): "unknown key 'lernt'; allowed: none",
    }
    assert of_unknown("transformer", backbone={"exprets": 3})[1] == {}


# --- A section that is wrong in other ways ---


def of_draft(data, graph=GRAPH):
    return [path for path, _ in problems_of(Draft(ModelSettings, data), graph)]


def test_a_wrong_size_hides_nothing_of_the_parts():
    data = {"recipe": "mmoe", "dropout": 7, "embeding_dim": 4, "backbone": {"exprets": 2}, "objectives": {"pico": 3}}
    assert of_draft(data) == [("backbone", "exprets")]


def test_what_is_not_known_is_not_held_against_the_objectives():
    pico = {"tower_layer": 5, "pairs": [["click", "buy"]]}
    data = {"recipe": "mmoe_pico", "tower_layers": [8], "objectives": {"pico": pico}}
    both = [("objectives", "pico", "pairs", 0), ("objectives", "pico", "tower_layer")]
    assert of_draft(data) == both
    assert of_draft(data, graph=None) == both[1:]
    assert of_draft(data | {"tower_layers": ["x"]}) == both[:1]


@pytest.mark.parametrize("fine_tune", [3, {"part": "al"}, {"prat": "all"}])
def test_a_stage_that_is_wrong_may_train_the_embeddings(fine_tune):
    found = of_draft({"recipe": "man", "steps": {"meta": {"share": 0}, "fine_tune": fine_tune}})
    assert ("steps",) not in found


@pytest.mark.parametrize("recipe", [3, None, ["mmoe"]])
def test_a_recipe_that_is_no_text_is_left_to_its_class(recipe):
    assert of_draft({"recipe": recipe, "backbone": {"exprets": 2}}) == []


def test_the_default_recipe_is_not_taken_for_what_a_misspelt_key_says():
    assert of_draft({"recipee": "mmoe", "backbone": {"experts": 2}}) == []
