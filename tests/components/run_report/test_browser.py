"""The report in a real browser: Debian's Chromium, from disk, without a network.

Pictures for the documents are made by the same way of opening it:

    export TANDEM_PICTURES=docs/pictures TANDEM_REPORT=runs/sample/report.html TANDEM_PICTURES_NAME=sample
    pytest tests/components/run_report/test_browser.py -k pictures
"""

import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: the report is not looked at")


@pytest.fixture(scope="module")
def browser():
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield started
        started.close()


class Opened:
    """A page, and what it complained about and asked for while it was opened."""

    def __init__(self, browser, path, size=DESKTOP, scheme="light", **more):
        self.context = browser.new_context(viewport=size, color_scheme=scheme, offline=True, **more)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")

    def close(self):
        self.context.close()


@pytest.fixture(scope="module")
def desktop(browser, report):
    opened = Opened(browser, report)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def phone(browser, report):
    opened = Opened(browser, report, PHONE, "dark")
    yield opened
    opened.close()


@pytest.fixture(params=["desktop", "phone"])
def opened(request):
    return request.getfixturevalue(request.param)


def test_nothing_is_fetched_and_nothing_goes_wrong(opened, report):
    assert opened.complaints == []
    assert opened.requests == [report.as_uri()]


def test_a_run_that_left_little_opens_too(browser, bare, tmp_path):
    from tandem.components.run_report import page

    path = tmp_path / "report.html"
    path.write_text(page.build(bare), encoding="utf-8")
    opened = Opened(browser, path)
    assert opened.complaints == []
    assert opened.page.inner_text("h1").startswith("Ship it: ")
    opened.close()


def test_the_verdict_is_what_one_sees_first(opened):
    heading = opened.page.locator("h1")
    assert heading.inner_text().startswith("Do not ship: 1 of 10 bounds is not kept")
    box = heading.bounding_box()
    assert box["y"] + box["height"] < 500


def test_every_chart_is_drawn(opened):
    charts = opened.page.evaluate(
        """[...document.querySelectorAll("[data-figure]")].map((place) => {
          const box = place.querySelector("svg.main-svg").getBoundingClientRect();
          const drawn = [...place.querySelectorAll(".trace, .bars .point")].filter((each) => each.getBBox().width > 0);
          return {id: place.id, width: box.width, height: box.height, traces: (place.data || []).length,
                  drawn: drawn.length, within: box.right <= innerWidth};
        })"""
    )
    assert len(charts) > 15
    for chart in charts:
        assert chart["width"] > 250, chart
        assert chart["height"] > 100, chart
        assert chart["traces"] > 0, chart
        assert chart["drawn"] >= chart["traces"], chart
        assert chart["within"], chart


def test_the_page_does_not_scroll_sideways(opened):
    width, seen = opened.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width == seen
    # Wide tables scroll in their own box.
    scrolled = opened.page.evaluate(
        """[...document.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth).map((box) => {
          box.scrollLeft = 10000; const far = box.scrollLeft; box.scrollLeft = 0; return far > 0;
        })"""
    )
    assert all(scrolled)
    if seen == PHONE["width"]:
        assert scrolled


def column(page, table, index):
    """The sort values of a column's cells that are shown, None where there is none, from top to bottom."""
    return page.evaluate(
        """([table, index]) => [...document.querySelector(table).tBodies[0].rows].map((row) => {
          const cell = row.cells[index];
          if (!cell.classList.contains("num")) return cell.textContent.trim();
          return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
        })""",
        [table, index],
    )


def heads(page, table):
    return page.locator(f"{table} thead th").all()


def test_slices_are_sorted_by_what_they_lost(desktop):
    losses = column(desktop.page, "#slice-table", 1)
    small = 1  # only clicks have a bound that a slice is too small for
    assert losses[: -3 - small] == sorted(losses[: -3 - small])
    assert losses[-3:] == [None] * 3
    assert desktop.page.locator("#slice-table tbody tr").first.inner_text().startswith("device=desktop")


def test_tables_sort_both_ways_with_missing_values_last(desktop):
    page = desktop.page
    for index, head in enumerate(heads(page, "#slice-table")):
        before = head.get_attribute("aria-sort")
        head.locator("button").click()
        first = column(page, "#slice-table", index), head.get_attribute("aria-sort")
        head.locator("button").press("Enter")
        second = column(page, "#slice-table", index), head.get_attribute("aria-sort")
        assert first[1] != before
        assert {first[1], second[1]} == {"ascending", "descending"}
        ascending, descending = (first, second) if first[1] == "ascending" else (second, first)
        there = [value for value in ascending[0] if value is not None]
        missing = [None] * (len(ascending[0]) - len(there))
        assert ascending[0] == there + missing
        if index:  # names are in the order of the reader's language
            assert there == sorted(there)
            assert descending[0] == sorted(there, reverse=True) + missing
        else:
            assert descending[0] == list(reversed(there))
        marks = [other.get_attribute("aria-sort") for other in heads(page, "#slice-table")]
        assert len(marks) - marks.count("none") == 1


def test_numbers_sort_as_numbers(desktop):
    page = desktop.page
    rows = next(index for index, head in enumerate(heads(page, "#slice-table")) if head.inner_text().strip() == "Rows")
    button = heads(page, "#slice-table")[rows].locator("button")
    button.click()
    if heads(page, "#slice-table")[rows].get_attribute("aria-sort") == "ascending":
        button.click()
    values = column(page, "#slice-table", rows)
    assert values[0] == 9000
    assert values[-1] == 17  # as text, 866 would come before 9,000 and 17 not last


def shown(page):
    return page.locator("#slice-table tbody tr:visible").count()


def test_many_slices_are_cut_until_asked_for_and_can_be_filtered(desktop):
    page = desktop.page
    assert shown(page) == 15
    more = page.locator("#slices .more")
    assert more.inner_text() == "Show all 51 rows"
    more.click()
    assert shown(page) == 51
    page.select_option('[data-filter="output"]', "click")
    assert shown(page) == 17
    page.fill('[data-filter="text"]', "SEGMENT")
    assert shown(page) == 12
    page.fill('[data-filter="text"]', "")
    page.select_option('[data-filter="output"]', "")
    page.check('[data-filter="worse"]')
    assert shown(page) == 1
    page.uncheck('[data-filter="worse"]')
    more.click()
    assert shown(page) == 15


# The background of an element is that of its nearest ancestor that has one.
CONTRAST = """() => {
  const channel = (value) => value / 255 <= .03928 ? value / 255 / 12.92 : ((value / 255 + .055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const background = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
  };
  const found = [];
  for (const element of document.querySelectorAll("body *:not(script):not(svg):not(svg *)")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".skip")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(background(element))].sort((x, y) => y - x);
    found.push([(a + .05) / (b + .05), `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`]);
  }
  for (const text of document.querySelectorAll("svg text")) {
    if (!text.textContent.trim() || !text.getBBox().width) continue;
    const colours = [parse(getComputedStyle(text).fill), background(text.closest(".drawing"))];
    const [a, b] = colours.map(light).sort((x, y) => y - x);
    found.push([(a + .05) / (b + .05), "chart: " + text.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


def test_light_and_dark_differ_and_both_can_be_read(desktop, phone):
    backgrounds = []
    for opened in (desktop, phone):
        backgrounds.append(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        contrasts = opened.page.evaluate(CONTRAST)
        assert len(contrasts) > 300
        weak = sorted(each for each in contrasts if each[0] < 4.5)
        assert weak == []
    assert backgrounds[0] != backgrounds[1]


def test_charts_follow_when_light_turns_to_dark(browser, report):
    opened = Opened(browser, report)
    line = "#roc-click .trace.scatter:last-child path.js-line"
    before = opened.page.locator(line).evaluate("(path) => getComputedStyle(path).stroke")
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_selector("html[data-drawn=dark]", state="attached")
    assert opened.page.locator(line).evaluate("(path) => getComputedStyle(path).stroke") != before
    assert opened.complaints == []
    opened.close()


def test_it_can_be_read_aloud(opened):
    page = opened.page
    levels = page.evaluate(
        '[...document.querySelectorAll("h1, h2, h3, h4")].map((heading) => Number(heading.tagName[1]))'
    )
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert page.evaluate('document.querySelectorAll("th:not([scope])").length') == 0
    assert page.evaluate('document.querySelectorAll("th[aria-sort]:not(:has(button))").length') == 0
    assert page.locator("html").get_attribute("lang") == "en"
    for place in page.locator("[data-figure]").all():
        assert place.get_attribute("role") == "img"
        assert page.locator(f"#{place.get_attribute('aria-labelledby')}").inner_text()


@pytest.mark.skipif("TANDEM_PICTURES" not in os.environ, reason="TANDEM_PICTURES names no folder for pictures")
def test_pictures(browser, report):
    """Makes the pictures of the documents: of the file TANDEM_REPORT, else of the run made by hand."""
    path = Path(os.environ.get("TANDEM_REPORT", report)).absolute()
    folder = Path(os.environ["TANDEM_PICTURES"])
    folder.mkdir(parents=True, exist_ok=True)
    name = os.environ.get("TANDEM_PICTURES_NAME", "report")
    for size, scheme, what in ((DESKTOP, "light", "desktop"), (DESKTOP, "dark", "desktop"), (PHONE, "dark", "phone")):
        opened = Opened(browser, path, size, scheme, device_scale_factor=1 if size == DESKTOP else 2)
        assert opened.complaints == []
        page = opened.page
        page.screenshot(path=folder / f"{name}-{what}-{scheme}.png", clip=_top(page, size), full_page=True)
        if what == "desktop" and scheme == "light":
            page.evaluate("document.querySelector('.bar').style.position = 'static'")
            parts = {"output": "#outputs article", "slices": "#slices", "data": "#data"}
            for part, where in parts.items():
                page.locator(where).first.screenshot(path=folder / f"{name}-{part}.png")
        opened.close()


def _top(page, size):
    """The first screens of the page."""
    height = page.evaluate("document.documentElement.scrollHeight")
    return {"x": 0, "y": 0, "width": size["width"], "height": min(height, 2 * size["height"])}
