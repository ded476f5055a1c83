"""The page of an evaluation, as text and in a real browser."""

import logging
import re
from html.parser import HTMLParser
from pathlib import Path

import browser
import pytest
from evaluated_run import write_run

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.intervals import Score
from prompt_ensemble.data.truth import Truth, load_prompts, load_sources
from prompt_ensemble.evaluation.evaluate import evaluate
from prompt_ensemble.evaluation.finished_run import read_run
from prompt_ensemble.evaluation.page import Cell, page
from prompt_ensemble.images.find import find_images
from prompt_ensemble.run.saved_predictions import load_confidence

ARTEFACTS = Path(__file__).parents[2] / "build" / "artefacts"


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    run = write_run(folder)
    table = folder / "prompts.csv"
    truth = Embeddings.load(folder / "truth.safetensors")
    known = Truth(truth, load_prompts(table), load_sources(table))
    signals = load_confidence([run], truth.image_ids)
    evaluation = evaluate(read_run([run]), known, signals=signals)
    images = {image.image_id: image.path for image in find_images([folder / "images"])}
    (folder / "report.html").write_text(page(evaluation, images), encoding="utf-8")
    return folder / "report.html"


class Tags(HTMLParser):
    """All tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_every_picture_says_what_it_shows(report):
    tags = Tags(report.read_text()).tags
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    figures = [attributes for tag, attributes in tags if tag == "figure"]
    assert len(pictures) == 24
    assert all("number" in picture["alt"] for picture in pictures)
    assert len(figures) == 4
    assert all(figure["aria-label"] for figure in figures)


def test_nothing_in_the_page_points_outside(report):
    for tag, attributes in Tags(report.read_text()).tags:
        for name in ("src", "href", "xlink:href"):
            target = attributes.get(name) or "#"
            assert target.startswith(("data:", "#")), (tag, target)


def test_prompts_are_shown_as_they_are_and_never_become_markup(report):
    text = report.read_text()
    assert "&lt;b&gt;castle&lt;/b&gt;" in text
    assert "<b>castle" not in text


def test_no_two_things_of_different_figures_share_a_clip_path(report):
    clips = re.findall(r'<clipPath id="([^"]+)"', report.read_text())
    assert len(clips) == len(set(clips)) > 0


needs_browser = pytest.mark.skipif(
    not browser.CHROMIUM, reason="chromium is not installed; apt-get install chromium"
)

SCRIPT = """
const rows = () => [...document.querySelectorAll(".images tbody tr")];
const column = (name) => [...document.querySelectorAll(".images th")].findIndex(
  (header) => header.textContent === name);
const press = (name) => document.querySelectorAll(".images th button")[column(name)].click();
const values = (name) => rows().map((row) => Number(row.cells[column(name)].dataset.value));
const outcome = {};
outcome.before = rows().length;
press("seer"); outcome.down = values("seer");
press("seer"); outcome.up = values("seer");
outcome.sorted = document.querySelectorAll(".images th")[column("seer")].getAttribute("aria-sort");
press("true prompt"); press("true prompt");
outcome.words = rows().map((row) => row.cells[column("true prompt")].textContent);
const field = document.getElementById("search");
field.value = "robot source1"; field.dispatchEvent(new Event("input"));
outcome.matching = rows().filter((row) => !row.hidden).map((row) => row.textContent);
outcome.shown = document.getElementById("shown").textContent;
field.value = ""; field.dispatchEvent(new Event("input"));
outcome.after = rows().filter((row) => !row.hidden).length;
const drawings = [...document.querySelectorAll("figure svg")];
outcome.drawn = drawings.map((drawing) => drawing.getBoundingClientRect().width);
return outcome;
"""


@needs_browser
def test_a_browser_sorts_searches_and_asks_for_nothing(report, tmp_path):
    outcome = browser.try_page(report, SCRIPT, tmp_path)
    assert outcome["problems"] == []
    assert outcome["requests"] == []
    assert outcome["before"] == 24
    assert outcome["down"] == sorted(outcome["down"], reverse=True)
    assert outcome["up"] == sorted(outcome["up"])
    assert outcome["sorted"] == "ascending"
    assert outcome["words"] == sorted(outcome["words"], key=str.lower)
    assert len(outcome["matching"]) == 4
    assert all("robot" in row for row in outcome["matching"])
    assert outcome["shown"] == "4 shown"
    assert outcome["after"] == 24
    assert len(outcome["drawn"]) == 4
    assert min(outcome["drawn"]) > 200


@needs_browser
def test_the_watch_would_notice_a_request_and_an_error(report, tmp_path):
    bad = tmp_path / "bad.html"
    broken = '<img src="http://example.invalid/x.png"><script>nonsense()</script></body>'
    bad.write_text(report.read_text().replace("</body>", broken, 1))
    outcome = browser.try_page(bad, "return {problems};", tmp_path)
    assert any("refused: http://example.invalid" in problem for problem in outcome["problems"])
    assert any("nonsense is not defined" in problem for problem in outcome["problems"])


@needs_browser
def test_screenshots_are_left_as_artefacts(report, tmp_path):
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for name, width in (("report", 1280), ("report-phone", 390)):
        picture = ARTEFACTS / f"{name}.png"
        picture.unlink(missing_ok=True)
        browser.screenshot(report, picture, width, 1600, tmp_path)
        assert picture.stat().st_size > 20_000
        logging.getLogger(__name__).warning("screenshot: %s", picture)


def test_a_source_of_one_image_shows_no_interval():
    assert Cell.of(Score(0.5, None, None, 1)) == Cell("0.5000", "0.5", "")
    assert Cell.of(Score(0.5, 0.4, 0.6, 9)) == Cell("0.5000", "0.5", "0.4000 to 0.6000")
