"""The text in a PNG file, read back by the reader that others use."""

import io

import pytest
from PIL import Image

from prompt_ensemble.generating.drawings import Drawing
from prompt_ensemble.generating.png_parameters import Settings, parameters_text, png_bytes

SETTINGS = Settings("EulerAncestralDiscreteScheduler", 20, 7.0, "blurry, text", "tiny", "ab" * 32)


def written(prompt, settings=SETTINGS):
    picture = Image.new("RGB", (32, 48), "teal")
    text = parameters_text(Drawing(3, prompt, 123), settings, picture.size)
    return png_bytes(picture, text)


def test_the_text_is_what_the_web_interface_writes():
    with Image.open(io.BytesIO(written("a cat"))) as picture:
        assert picture.text["parameters"] == (
            "a cat\nNegative prompt: blurry, text\nSteps: 20, Sampler: Euler a, CFG scale: 7, "
            "Seed: 123, Size: 32x48, Model hash: ababababab, Model: tiny"
        )


@pytest.mark.parametrize(
    "prompt",
    ["a cat, (moon:1.2), 8k", "ünïcode — 日本 🎉", 'a "quoted" one: with colon', "x" * 3000],
)
def test_others_read_prompt_and_settings(prompt, tmp_path):
    sd_parsers = pytest.importorskip("sd_parsers")
    (tmp_path / "a.png").write_bytes(written(prompt))
    found = sd_parsers.ParserManager().parse(tmp_path / "a.png")
    assert [one.value for one in found.prompts] == [prompt]
    assert [one.value for one in found.negative_prompts] == ["blurry, text"]
    (sampler,) = found.samplers
    assert (sampler.name, sampler.parameters["seed"]) == ("Euler a", "123")
    assert [model.name for model in found.models] == ["tiny"]
