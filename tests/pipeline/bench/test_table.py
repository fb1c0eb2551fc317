import io

import pytest
from rich.console import Console

from tandem.models.tasks import Task, TaskGraph
from tandem.pipeline.bench import markdown, plots, published, terminal
from tandem.pipeline.bench.outcome import Outcome
from tandem.pipeline.bench.sections import sections
from tandem.pipeline.bench.table import ComparisonTable, make_table, write_table
from tandem.pipeline.trials.report import Distribution, Inside

GRAPH = TaskGraph([Task(name="view"), Task(name="buy", given="view")])
OUTPUTS = ["view", "buy_given_view", "view_and_buy"]


@pytest.fixture
def table(report):
    fixed = ("mmoe_pico", "fixed_temperature")
    inside = Inside(
        gates={"gate/view": [0.7, 0.3], "gate_groups/view": [0.6, 0.4]},
        temperatures={"view/buy": {"none": Distribution(rows=4, mean=0.2, counts=[1, 3], highest=1.0)}},
    )
    reports = [
        *(report("mmoe", None, seed, auc) for seed, auc in ((1, 0.60), (2, 0.62))),
        *(report("mmoe_pico", None, seed, auc, inside=inside) for seed, auc in ((1, 0.61), (2, 0.6302))),
        *(report(*fixed, seed, auc) for seed, auc in ((1, 0.59), (2, 0.605))),
        report("lightgbm", None, 1, 0.58, parameters_trained=None, parameters_exported=None),
    ]
    best = {"view": {"auc": 0.7, "gauc": 0.66}}
    return make_table("shop", "/logs", 2, OUTPUTS, reports, best, {"ple seed 1": "no memory"})


def by_name(table):
    return {system.name: system for system in table.systems}


def test_systems_stand_in_the_order_of_the_plan(table):
    assert list(by_name(table)) == ["mmoe", "mmoe_pico", "mmoe_pico/fixed_temperature", "lightgbm"]
    assert [system.seeds for system in table.systems] == [[1, 2], [1, 2], [1, 2], [1]]


def test_what_each_system_is_compared_with(table):
    systems = {name: system.outputs["view"] for name, system in by_name(table).items()}
    assert systems["mmoe"].to_backbone is None
    assert systems["lightgbm"].to_backbone is None
    assert systems["mmoe_pico"].to_recipe is None
    found = systems["mmoe_pico"].to_backbone
    assert (found.against, found.mean, found.seeds) == ("mmoe", pytest.approx(0.0101), 2)
    variant = systems["mmoe_pico/fixed_temperature"]
    assert (variant.to_backbone.against, variant.to_backbone.mean) == ("mmoe", pytest.approx(-0.0125))
    assert (variant.to_recipe.against, variant.to_recipe.mean) == ("mmoe_pico", pytest.approx(-0.0226))


def test_a_backbone_that_was_not_run_is_nothing_to_compare_with(report):
    table = make_table("shop", "/logs", 1, OUTPUTS, [report("ple_pico")], {}, {})
    assert table.systems[0].outputs["view"].to_backbone is None
    assert [section.title for section in sections(table, GRAPH, ())] == [*OUTPUTS, "Cost"]


def test_speeds(table):
    mmoe = by_name(table)["mmoe"]
    assert mmoe.examples_per_second.mean == 500
    assert mmoe.examples_per_cpu_second.mean == 250
    assert table.rows == dict.fromkeys(OUTPUTS, (900, 40))


def test_the_table_comes_back_from_its_file(table, tmp_path):
    write_table(tmp_path / "table.json", table)
    assert ComparisonTable.model_validate_json((tmp_path / "table.json").read_text()) == table


def section_rows(text, title):
    lines = text.split(f"## {title}\n")[1].split("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return {row[0].strip(): row[1:] for row in cells}


def test_the_page(table):
    text = markdown.page(table, sections(table, GRAPH, ()), ["table.png"])
    assert text.startswith("# shop: 4 systems, 2 seeds each\n")
    view = section_rows(text, "view")
    assert view["system"] == ["AUC", "GAUC", "log loss", "calib."]
    assert view["mmoe"] == ["0.6100 ± 0.0141", "0.5500 ± 0.0000", "0.2000 ± 0.0000", "1.100 ± 0.000"]
    assert view["(best reachable)"] == ["0.7000", "0.6600", "-", "-"]
    differences = text.split("## view: differences of AUC\n")[1].split("\n## ")[0]
    assert [line for line in differences.splitlines() if line.startswith("| mmoe")] == [
        "| mmoe_pico | mmoe | +0.0101 | [+0.0088, +0.0114] \\* | 2 |",
        "| mmoe_pico/fixed_temperature | mmoe_pico | -0.0226 | [-0.0556, +0.0104] | 2 |",
        "| mmoe_pico/fixed_temperature | mmoe | -0.0125 | [-0.0443, +0.0193] | 2 |",
    ]
    buy = section_rows(text, "buy_given_view")
    assert "(best reachable)" not in buy
    assert buy["mmoe"][1] == "-"
    assert section_rows(text, "Cost")["lightgbm"][:2] == ["-", "-"]
    assert section_rows(text, "Cost")["mmoe"] == ["1,200", "1,000", "500", "250", "9.0", "3.00 ± 0.00", "2"]
    assert section_rows(text, "Failed")["ple seed 1"] == ["no memory"]
    assert text.endswith("![table](table.png)\n")
    assert text.count("with the same seed") == 1


def test_the_terminal_shows_the_same_cells(table, tmp_path):
    found = tuple(sections(table, GRAPH, ()))
    console = Console(file=io.StringIO(), width=120)
    terminal.show(Outcome(table, found, tmp_path, ("table.md", "table.json"), 8, 3, 61.0), console)
    text = console.file.getvalue()
    for section in found:
        for cells in section.rows:
            assert all(cell in text for cell in cells)
    assert "8, of them 3 reused from earlier benchmarks; 1 min 01 s in all" in text
    assert "table.md, table.json" in text


def test_the_papers_stand_beside_ours_by_kind_of_output(table):
    (quality, *_) = published.published("ali_ccp")
    assert quality.auc["shared_bottom_pico"] == (0.61886, 0.61928)
    found = [section for section in sections(table, GRAPH, published.ALI_CCP) if section.title.startswith("AUC in")]
    assert len(found) == 4
    assert found[0].columns == ("system", "view: paper", "ours", "buy_given_view: paper", "ours")
    rows = {cells[0]: cells[1:] for cells in found[0].rows}
    assert rows["mmoe"] == ("0.6184", "0.6100 ± 0.0141", "0.6011", "0.6100 ± 0.0141")
    assert rows["autoheri"] == ("0.6197", "-", "0.6039", "-")
    assert published.published("sample") == ()


def test_published_figures_are_as_many_as_the_columns():
    for paper in published.ALI_CCP:
        assert {len(figures) for figures in paper.auc.values()} == {len(paper.columns)}
        assert all(0.5 < value < 0.7 for figures in paper.auc.values() for value in figures)


def test_pictures(table, tmp_path):
    for draw in (plots.comparison, plots.gates, plots.temperatures):
        plots.save(draw(table), tmp_path / "x.png")
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_no_picture_of_what_no_system_has(report):
    table = make_table("shop", "/logs", 1, OUTPUTS, [report("single_dnn")], {}, {})
    assert plots.gates(table) is None
    assert plots.temperatures(table) is None


def test_the_bars_of_gates_have_the_names_of_their_groups(table):
    figure = plots.gates(table)
    legends = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert legends == [["general", "task"], ["expert 1", "expert 2"]]


def test_without_users_there_is_no_gauc(report):
    made = report("mmoe")
    metrics = {name: {key: value for key, value in of.items() if key != "gauc"} for name, of in made.metrics.items()}
    table = make_table("shop", "/logs", 1, OUTPUTS, [made.model_copy(update={"metrics": metrics})], {}, {})
    (section, *_) = sections(table, GRAPH, ())
    assert section.columns == ("system", "AUC", "log loss", "calib.")
    assert [len(row) for row in section.rows] == [4]
