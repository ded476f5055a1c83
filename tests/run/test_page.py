"""The page of a run, as text and in a real browser."""

import logging
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import browser
import pytest
from PIL import Image
from worded_run import HOSTILE, worded

from prompt_ensemble.core.outputs import Line
from prompt_ensemble.images.thumbnails import MOST_ON_A_PAGE, data_address, size_for
from prompt_ensemble.run.page import LINES_SHOWN, _by_kind, write_report

pytestmark = pytest.mark.usefixtures("colour")
ARTEFACTS = Path(__file__).parents[2] / "build" / "artefacts"


@pytest.fixture
def report(photos, tmp_path) -> Path:
    write_report(worded(photos), tmp_path / "report.html")
    return tmp_path / "report.html"


class Page(HTMLParser):
    """All tags with their attributes, and texts by the class or tag that holds them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, text):
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        self.texts.setdefault(attributes.get("class") or tag, []).append(text)


def test_every_image_has_a_card_with_its_prompt(report):
    page = Page(report)
    prompts = [text for text in page.texts["prompt"] if text.strip()]
    assert prompts == [HOSTILE if n == 2 else f"a cat number {n}" for n in range(11)]
    assert sum(tag == "article" for tag, _ in page.tags) == 12
    assert [a["alt"] for tag, a in page.tags if tag == "img"] == [f"photo{n:02}" for n in range(12)]


def test_a_prompt_never_becomes_markup(report):
    page = Page(report)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(attributes.get("id") == "bad" for _, attributes in page.tags)


def test_nothing_in_the_page_is_loaded_and_links_stay_in_the_folder(report):
    links = set()
    for tag, attributes in Page(report).tags:
        assert (attributes.get("src") or "data:").startswith("data:")
        if tag == "a":
            links.add(attributes["href"])
        else:
            assert "href" not in attributes
    assert links == {"submission.csv", "predictions.csv", "run.json"}


def test_every_control_has_a_name(report):
    buttons = [attributes for tag, attributes in Page(report).tags if tag == "button"]
    assert [button["aria-label"] for button in buttons[:2]] == [
        "Copy the prompt of photo00",
        "Copy the prompt of photo01",
    ]


def test_a_run_without_words_has_cards_and_no_prompt(photos, tmp_path):
    write_report(replace(worded(photos), words=None), tmp_path / "bare.html")
    page = Page(tmp_path / "bare.html")
    assert "prompt" not in page.texts
    assert sum(tag == "article" for tag, _ in page.tags) == 12
    assert not any(tag == "button" for tag, _ in page.tags)


def test_a_card_shows_the_first_of_each_kind():
    lines = [Line("flavor", str(number), 0.1) for number in range(20)] + [Line("artist", "a", 0.2)]
    kinds = _by_kind(lines)
    assert [line.text for line in kinds["flavor"]] == [str(n) for n in range(LINES_SHOWN)]
    assert list(kinds) == ["flavor", "artist"]


@pytest.mark.parametrize("count", [1, 60, 61, 300, 1_000, 2_500, MOST_ON_A_PAGE, 100_000])
def test_many_pictures_are_smaller_ones(count):
    noise = Image.effect_noise((512, 512), 60).convert("RGB")  # no picture is larger as a JPEG
    held = len(data_address(noise, size_for(count))) * min(count, MOST_ON_A_PAGE)
    assert held < 25_000_000


needs_browser = pytest.mark.skipif(
    not browser.CHROMIUM, reason="chromium is not installed; apt-get install chromium"
)

SCRIPT = """
const shown = () => [...document.querySelectorAll("article")].filter((card) => !card.hidden);
const names = () => shown().map((card) => card.querySelector("h2").textContent);
const outcome = {before: names()};
const look = (text) => {
  field.value = text;
  field.dispatchEvent(new Event("input"));
  return [names(), told.textContent];
};
outcome.prompt = look("NUMBER 7");
outcome.known = look("owl image 3");
outcome.nothing = look("copy trust");
outcome.all = look("");
for (const by of ["down", "up", "name"]) {
  order.value = by;
  order.dispatchEvent(new Event("change"));
  outcome[by] = names();
}
let copied = "";
document.execCommand = () => { copied = getSelection().toString(); return true; };
copySelected(document.querySelectorAll(".prompt")[2]);
outcome.copied = copied;
outcome.left = getSelection().toString();
document.execCommand = () => false;
copySelected(document.querySelectorAll(".prompt")[1]);
outcome.selected = getSelection().toString();
outcome.drawn = [...document.images].filter((image) => image.naturalWidth > 0).length;
outcome.overflow = document.documentElement.scrollWidth - innerWidth;
return outcome;
"""


@needs_browser
def test_a_browser_searches_sorts_copies_and_asks_for_nothing(report, tmp_path):
    outcome = browser.try_page(report, SCRIPT, tmp_path)
    every = [f"photo{number:02}" for number in range(12)]
    assert outcome["problems"] == outcome["requests"] == []
    assert outcome["before"] == outcome["name"] == outcome["up"] == every
    assert outcome["prompt"] == [["photo07"], "1 shown"]
    assert outcome["known"] == [["photo03"], "1 shown"]
    assert outcome["nothing"] == [[], "0 shown"]
    assert outcome["all"] == [every, "12 shown"]
    assert outcome["down"] == [*every[10::-1], "photo11"]
    assert outcome["copied"] == HOSTILE and outcome["left"] == ""
    assert outcome["selected"] == "a cat number 1"
    assert outcome["drawn"] > 0
    assert outcome["overflow"] <= 0


@needs_browser
def test_screenshots_are_left_as_artefacts(report, tmp_path):
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for name, width in (("run", 1280), ("run-phone", 390)):
        picture = ARTEFACTS / f"{name}.png"
        picture.unlink(missing_ok=True)
        browser.screenshot(report, picture, width, 1600, tmp_path)
        assert picture.stat().st_size > 20_000
        logging.getLogger(__name__).warning("screenshot: %s", picture)
