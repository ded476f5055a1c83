"""Every captioner: from a folder as its authors lay it out, through the registry, to captions."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_captioners import SAVE

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.members.captioners.layouts import captioner_kind
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.models.device import Placement

KINDS = list(SAVE)
SEARCHES = {
    "published": {},
    "beams": {"num_beams": 5, "no_repeat_ngram_size": 2, "max_length": 12},
    "greedy": {"num_beams": 1, "max_length": 12},
    "sampled": {"num_beams": 1, "do_sample": True, "seed": 3, "top_p": 0.9, "max_length": 12},
}


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_captioned_and_captions_differ(captioners, caption, pixels, kind):
    lines = caption(kind, captioners / kind, pixels)
    assert [len(row) for row in lines] == [1] * len(pixels)
    assert all(line.kind == "caption" and np.isfinite(line.score) for (line,) in lines)
    assert len({line.text for (line,) in lines}) > 1


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_says_the_same_alone_and_in_any_batch(captioners, make, cpu, pixels, kind, search):
    opened = make(kind, captioners / kind, **search).open(cpu)
    ids = ["a", "b", "c", "d"]
    with torch.inference_mode():
        together = opened.run(Batch(ids, (pixels,))).lines
        backwards = opened.run(Batch(ids, (pixels.flip(0),))).lines
        alone = [opened.run(Batch(ids[:1], (pixels[i : i + 1],))).lines[0] for i in range(4)]
    texts = [[line.text for line in row] for row in together]
    assert [[line.text for line in row] for row in alone] == texts
    assert [[line.text for line in row] for row in backwards] == texts[::-1]


@pytest.mark.parametrize("kind", KINDS)
def test_several_captions_come_best_first_and_no_two_alike(captioners, caption, pixels, kind):
    lines = caption(kind, captioners / kind, pixels, num_beams=4, num_return_sequences=3)
    for row in lines:
        assert len(row) == 3
        assert [line.score for line in row] == sorted((line.score for line in row), reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_what_is_sampled(captioners, caption, pixels, kind):
    options = {"num_beams": 1, "do_sample": True, "num_return_sequences": 2, "max_length": 12}
    one, same, other = (
        caption(kind, captioners / kind, pixels, seed=seed, **options) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_prepared_by_the_recipe_in_the_folder(captioners, make, cpu, kind):
    opened = make(kind, captioners / kind).open(cpu)
    side = 480 if kind == "ofa" else 32
    (view,) = opened.prepare(Image.new("RGB", (50, 40), (10, 20, 30)))
    assert view.dtype == torch.uint8
    assert view.shape == (3, side, side)
    assert view[:, 5, 5].tolist() == [10, 20, 30]


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_tells_its_kind(captioners, kind):
    assert captioner_kind(captioners / kind) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_more_tokens_than_the_model_has_positions_for_are_refused(captioners, make, cpu, kind):
    with pytest.raises(BadConfig, match="max_length=1000 does not fit"):
        make(kind, captioners / kind, max_length=1000).open(cpu)


def test_ofa_captions_as_the_authors_evaluated_it_too(captioners, caption, pixels):
    published = caption("ofa", captioners / "ofa", pixels)
    evaluated = caption("ofa", captioners / "ofa", pixels, search="fairseq")
    assert [len(row) for row in evaluated] == [1] * len(pixels)
    assert [row[0].score for row in evaluated] != [row[0].score for row in published]


def test_ofa_answers_the_question_it_is_asked(captioners, caption, pixels):
    asked = caption("ofa", captioners / "ofa", pixels, question=" what is a cat?")
    assert asked != caption("ofa", captioners / "ofa", pixels)


def test_ofa_from_an_image_file_to_its_caption(captioners, make, cpu, photos):
    """The whole way: file, worker, batch, network, search, words."""
    from prompt_ensemble.images.find import find_images
    from prompt_ensemble.run.inference_loop import run_batches

    opened = make("ofa", captioners / "ofa", num_beams=2, max_length=6).open(cpu)
    images = find_images([photos])[:3]
    (outputs,) = run_batches(opened, images, cpu, batch_size=3)
    assert outputs.image_ids == ("photo00", "photo01", "photo02")
    assert all(row[0].kind == "caption" for row in outputs.lines)


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_captions_too(captioners, make, pixels, kind):
    """As on a GPU: the loop's autocast is on, and every kind of matrix work meets it."""
    placement = Placement(torch.device("cpu"), torch.bfloat16)
    opened = make(kind, captioners / kind, max_length=6).open(placement)
    with torch.inference_mode(), placement.autocast():
        outputs = opened.run(Batch(("a", "b", "c", "d"), (pixels,)))
    assert all(np.isfinite(row[0].score) for row in outputs.lines)
