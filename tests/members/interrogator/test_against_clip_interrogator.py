"""Ours against the installed clip-interrogator: the same prompts, and its defects by name."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_clip import captioned, look, ours, pictures, prompts, save_tiny, theirs

from prompt_ensemble.data.phrase_lists import package_folder
from prompt_ensemble.members.interrogator.prompt_assembly import fit
from prompt_ensemble.members.interrogator.vocabulary import load_vocabulary


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Every fortieth flavor, every fiftieth artist, and the short lists whole; none twice."""
    folder = tmp_path_factory.mktemp("lists")
    seen = set()
    for name, step in (
        ("artists", 50), ("flavors", 400), ("mediums", 2), ("movements", 4), ("negative", 1)
    ):  # fmt: skip
        lines = (package_folder() / f"{name}.txt").read_text().split("\n")[::step]
        new = [line.strip() for line in dict.fromkeys(lines) if line.strip() not in {*seen, ""}]
        seen.update(new)
        (folder / f"{name}.txt").write_text("\n".join(new))
    return folder


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tower") / "tiny"
    return folder, save_tiny(folder)


@pytest.fixture(scope="module")
def reference(tower, data):
    return theirs(tower[1], data)


IMAGES = pictures(4)
CAPTIONS = captioned(IMAGES)


def caption_of(name):
    return CAPTIONS.take([name]).lines[0][0].text


def test_lists_are_made_as_theirs(reference, data):
    made = load_vocabulary({n: str(data / f"{n}.txt") for n in ("artists", "flavors")})
    assert list(made["artists"].phrases) == reference.artists.labels
    assert list(made["flavors"].phrases) == reference.flavors.labels
    assert list(made["trendings"].phrases) == reference.trendings.labels


def test_pictures_become_the_same_rows(tower, reference, data):
    opened = ours(tower[0], None, data)
    for image in IMAGES.values():
        with torch.inference_mode():
            row = opened.whole.tower.encode_images(opened.prepare(image)[0][None])
        assert torch.allclose(row, reference.image_to_features(image), atol=1e-5)


def test_texts_become_the_same_rows(tower, reference, data):
    opened = ours(tower[0], None, data)
    texts = ["a cat", "", "a cat, dr. who, ünïcode", "word " * 100]
    expected = tower[1].encode_text(reference.tokenize(texts), normalize=True).detach()
    assert torch.allclose(opened.whole.tower.encode_texts(texts), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["classic", "fast"])
def test_the_same_prompts(mode, tower, reference, data):
    found = prompts(look(ours(tower[0], CAPTIONS, data, mode=mode), IMAGES))
    ask = getattr(reference, f"interrogate_{mode}")
    assert found == [ask(image, caption=caption_of(name)) for name, image in IMAGES.items()]


def test_the_same_best_prompts(tower, reference, data):
    opened = ours(tower[0], CAPTIONS, data, mode="best", flavors=6, least=2, candidates=40)
    reference.config.flavor_intermediate_count = 40
    expected = [
        reference.interrogate(image, min_flavors=2, max_flavors=6, caption=caption_of(name))
        for name, image in IMAGES.items()
    ]
    assert prompts(look(opened, IMAGES)) == expected


def test_the_caption_is_not_repeated_as_medium(tower, reference, data):
    image = IMAGES["picture0"]
    medium = reference.mediums.rank(reference.image_to_features(image), 1)[0]
    caption = f"{medium} of something"
    captions = captioned(["picture0"])
    line = captions.lines[0][0]
    changed = type(captions).of_lines(("picture0",), [[type(line)("caption", caption, 0.0)]])
    opened = ours(tower[0], changed, data, mode="classic")
    found = prompts(look(opened, {"picture0": image}))
    assert found == [reference.interrogate_classic(image, caption=caption)]


@pytest.mark.parametrize("words", [5, 60, 75, 90])
def test_prompts_are_cut_as_theirs(words, tower, reference, data):
    from clip_interrogator.clip_interrogator import _truncate_to_fit

    is_full = ours(tower[0], None, data).whole.tower.is_full
    text = ", ".join(f"word{number}" for number in range(words))
    assert fit(text, is_full) == _truncate_to_fit(text, reference.tokenize)


def test_defect_reverse_is_forgotten_in_long_lists(tower, data):
    """clip-interrogator's last ranking of a list in several chunks drops ``reverse``."""
    chunked = theirs(tower[1], data, chunk_size=100)
    image = IMAGES["picture0"]
    features = chunked.image_to_features(image)
    rows = torch.from_numpy(np.stack(chunked.flavors.embeds)).float()
    farthest = chunked.flavors.labels[int((rows @ features[0]).argmin())]
    assert chunked.flavors.rank(features, 1, reverse=True) != [farthest]
    opened = ours(tower[0], None, data, mode="negative")
    assert opened.whole.tables["flavors"].bottom(features, 1)[0][0].text == farthest


def test_defect_the_negative_chain_starts_with_the_wrong_sign(tower, reference, data):
    """It compares negated similarities with one that is not, and so may never grow."""
    opened = ours(tower[0], None, data, mode="negative", flavors=4, least=2)
    found = look(opened, IMAGES)
    for row, (_, image) in zip(found.lines, IMAGES.items(), strict=True):
        features = reference.image_to_features(image)
        first = row[0].text.split(", ")[0]
        assert reference.similarity(features, row[0].text) <= reference.similarity(features, first)


def test_defect_phrases_are_tried_in_the_order_of_a_set(tower, data):
    """Ours gives the same prompts whatever Python's hash seed."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from tiny_clip import *\n"
        "images = pictures(2)\n"
        "opened = ours(Path(sys.argv[2]), captioned(images), Path(sys.argv[3]), mode='best',"
        " flavors=3, least=1, candidates=20)\n"
        "print(prompts(look(opened, images)))"
    )
    arguments = [
        sys.executable,
        "-c",
        program,
        str(Path(__file__).parents[3] / "tests"),
        str(tower[0]),
        str(data),
    ]
    outputs = {
        subprocess.run(
            arguments, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_defect_a_chain_longer_than_its_phrases_crashes(tower, data, tmp_path):
    """With nothing left to add clip-interrogator ranks an empty list; ours stops."""
    (tmp_path / "negative.txt").write_text("blurry")
    (tmp_path / "flavors.txt").write_text("ugly")
    files = {name: str(tmp_path / f"{name}.txt") for name in ("negative", "flavors")}
    opened = ours(tower[0], None, mode="negative", lists=files)
    assert all(
        set(text.split(", ")) <= {"ugly", "blurry"} for text in prompts(look(opened, IMAGES))
    )


def test_defect_empty_lines_are_ranked(reference, tmp_path):
    from clip_interrogator.clip_interrogator import load_list

    (tmp_path / "flavors.txt").write_text("one\n\ntwo\n")
    assert "" in load_list(str(tmp_path), "flavors.txt")
    made = load_vocabulary({"flavors": str(tmp_path / "flavors.txt")})
    assert made["flavors"].phrases == ("one", "two")


def test_defect_chunks_drop_near_phrases(tower, data):
    """It keeps few phrases of each chunk, so near ones crowded into one chunk are lost."""
    chunked = theirs(tower[1], data, chunk_size=30)
    features = chunked.image_to_features(IMAGES["picture0"])
    rows = torch.from_numpy(np.stack(chunked.flavors.embeds)).float()
    order = (rows @ features[0]).argsort(descending=True)[:50].tolist()
    exact = [chunked.flavors.labels[number] for number in order]
    assert chunked.flavors.rank(features, 50) != exact
    top = ours(tower[0], None, data).whole.tables["flavors"].top(features, 50)[0]
    assert [one.text for one in top] == exact


@pytest.mark.slow
def test_the_same_prompts_over_the_full_lists(tower, tmp_path):
    """All 113,000 phrases of the package; both sides use the vectors clip-interrogator made."""
    reference = theirs(tower[1], package_folder(), cache=tmp_path)
    options = {"published": str(tmp_path), "architecture": ""}
    for path in tmp_path.iterdir():  # a folder's tower has no published name
        path.rename(path.with_name(path.name.removeprefix("ViT-B-32_none")))
    for mode in ("classic", "fast"):
        found = prompts(look(ours(tower[0], CAPTIONS, mode=mode, **options), IMAGES))
        ask = getattr(reference, f"interrogate_{mode}")
        assert found == [ask(image, caption=caption_of(name)) for name, image in IMAGES.items()]
