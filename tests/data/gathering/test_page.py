"""The page of a gathered set, as text and in a real browser."""

import re

import browser
import pytest
from generated_images import parameters, png

from prompt_ensemble.data.gathering.gather import PAGE, gather

HOSTILE = "<script>alert(1)</script> & a fox"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for number, prompt in enumerate(["a fox in snow", "(a fox:1.2) in snow", HOSTILE]):
        content = png({"parameters": parameters(prompt)}, number)
        (folder / f"{number}.png").write_bytes(content)
    gather([str(folder)], folder.parent / "out")
    return folder.parent / "out" / PAGE


def test_counts_and_pictures_are_there(report):
    text = report.read_text()
    assert "<b>3</b> pairs of 3 images" in text
    assert "AUTOMATIC1111" in text and "dreamshaper_8" in text
    assert len(re.findall("<figure>", text)) == 3
    assert "(a fox:1.2) in snow" in text


def test_prompts_are_escaped_and_nothing_points_outside(report):
    text = report.read_text()
    assert "<script" not in text
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)


@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_no_wider_than_its_window(report, width, tmp_path):
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<html><head></head><body><iframe src="{report.as_uri()}" style="width: {width}px; '
        'height: 3000px"></iframe></body></html>'
    )
    found = browser.try_page(
        frame,
        "const inner = document.querySelector('iframe').contentDocument;"
        "return {wide: inner.documentElement.scrollWidth, shown: inner.images.length};",
        tmp_path,
    )
    assert found["shown"] == 3 and found["wide"] <= width
