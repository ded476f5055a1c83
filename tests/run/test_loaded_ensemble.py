"""An ensemble that stays open: many calls, pictures of every form, warm models, several threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from colour_member import ColourPredictor, OpenedColour, colour_ensemble
from PIL import Image

from prompt_ensemble import load_ensemble
from prompt_ensemble.core.errors import BadConfig, UnreadableImage
from prompt_ensemble.images.find import find_images
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.run.config import MemberConfig, RunConfig
from prompt_ensemble.run.ensemble import predict
from prompt_ensemble.run.members import make_member
from prompt_ensemble.run.warm_models import WarmModels

pytestmark = pytest.mark.usefixtures("colour")


@pytest.fixture
def opened_models(monkeypatch):
    """Seeds of the models that were opened, one an opening."""
    seeds: list[int] = []
    open_model = ColourPredictor.open

    def noted(self, *arguments):
        seeds.append(self.options.seed)
        return open_model(self, *arguments)

    monkeypatch.setattr(ColourPredictor, "open", noted)
    return seeds


def test_many_calls_open_each_model_once(photos, opened_models):
    with load_ensemble(colour_ensemble()) as ensemble:
        first = ensemble.embed(photos)
        second = ensemble.embed(photos)
    assert opened_models == [1, 2]
    assert np.array_equal(first.vectors, second.vectors)


def test_weight_files_are_digested_once_not_once_a_call(photos, monkeypatch):
    asked = []
    identity = ColourPredictor.identity
    monkeypatch.setattr(
        ColourPredictor, "identity", lambda self: (asked.append(1), identity(self))[1]
    )
    with load_ensemble(colour_ensemble()) as ensemble:
        for _ in range(3):
            ensemble.embed(photos)
    assert len(asked) == 2


def test_a_loaded_ensemble_says_what_predict_says(photos, tmp_path):
    expected = predict(photos, tmp_path, config=colour_ensemble()).embeddings
    with load_ensemble(colour_ensemble()) as ensemble:
        found = ensemble.embed(photos)
    assert found.image_ids == expected.image_ids
    assert np.array_equal(found.vectors, expected.vectors)


def test_pictures_arrays_and_bytes_are_images_too(photos):
    file = find_images([photos])[0]
    picture = Image.open(file.path).convert("RGB")
    forms = {"a": picture, "b": np.asarray(picture), "c": file.path.read_bytes()}
    with load_ensemble(colour_ensemble()) as ensemble:
        found = ensemble.embed(forms)
        expected = ensemble.embed(file.path)
    assert found.image_ids == ("a", "b", "c")
    assert all(np.array_equal(row, expected.vectors[0]) for row in found.vectors)


def test_an_array_that_is_no_picture_is_told_by_its_name():
    with (
        load_ensemble(colour_ensemble()) as ensemble,
        pytest.raises(UnreadableImage, match="mine: an array"),
    ):
        ensemble.embed({"mine": np.zeros((2, 2, 3), np.float64)})


def test_several_threads_get_the_answers_of_one(photos):
    files = [file.path for file in find_images([photos])]
    with load_ensemble(colour_ensemble(0.001)) as ensemble:
        expected = [ensemble.embed(file).vectors for file in files]
        with ThreadPoolExecutor(6) as threads:
            found = [rows.vectors for rows in threads.map(ensemble.embed, files)]
    assert all(map(np.array_equal, found, expected))


def test_a_predict_with_a_folder_leaves_and_continues_what_the_command_does(
    photos, tmp_path, monkeypatch
):
    with load_ensemble(colour_ensemble()) as ensemble:
        ensemble.predict(photos, tmp_path)
        monkeypatch.setattr(OpenedColour, "run", lambda *_: 1 / 0)
        again = ensemble.predict(photos, tmp_path)
    assert len(again.embeddings) == 12
    assert (tmp_path / "submission.csv").is_file()


def test_the_table_of_a_prediction_is_a_frame(photos):
    with load_ensemble(colour_ensemble()) as ensemble:
        frame = ensemble.predict(photos).to_frame()
    assert list(frame.columns) == ["image_id", "one", "two", "seconds", "problem"]
    assert frame["one"].str.startswith("colour: ").all()


def test_who_has_no_captioner_is_told_to_name_one(photos):
    with (
        load_ensemble(colour_ensemble()) as ensemble,
        pytest.raises(BadConfig, match="'colours' has no captioner; name one"),
    ):
        ensemble.caption(photos)


def test_captions_come_from_a_folder_that_is_named(photos, captioners):
    with load_ensemble(colour_ensemble(), device="cpu") as ensemble:
        captions = ensemble.caption(photos, model=str(captioners / "git"), max_length=8)
    assert sorted(captions) == [f"photo{number:02}" for number in range(12)]
    assert all(isinstance(caption, str) for caption in captions.values())


def test_an_unreadable_image_does_not_lose_the_captions_of_the_others(photos, captioners, caplog):
    good = find_images([photos])[0].path
    with load_ensemble(colour_ensemble(), device="cpu") as ensemble:
        captions = ensemble.caption(
            {"good": good.read_bytes(), "bad": b"no picture"},
            model=str(captioners / "git"), max_length=8,
        )  # fmt: skip
    assert list(captions) == ["good"]
    assert "left out: bad" in caplog.text


def test_no_readable_image_at_all_is_an_error_with_the_reason():
    with (
        load_ensemble(colour_ensemble(), device="cpu") as ensemble,
        pytest.raises(UnreadableImage, match=r"none of the 1 images can be read.*\nbad: "),
    ):
        ensemble.interrogate({"bad": b"no picture"})


def test_prompts_are_made_of_phrases_near_to_the_image(photos, tmp_path):
    lists = {name: str(tmp_path / f"{name}.txt") for name in ("mediums", "flavors")}
    (tmp_path / "mediums.txt").write_text("a photo\na painting\n")
    (tmp_path / "flavors.txt").write_text("red\ngreen\nblue\n")
    counts = {"artists": 0, "movements": 0, "trendings": 0}
    with load_ensemble(colour_ensemble(), device="cpu") as ensemble:
        prompts = ensemble.interrogate(
            find_images([photos])[:2], lists=lists, counts=counts, flavors=2
        )
    assert list(prompts) == ["photo00", "photo01"]
    known = {"a photo", "a painting", "red", "green", "blue"}
    assert all(prompt and set(prompt.split(", ")) <= known for prompt in prompts.values())


def members(*names: str):
    config = MemberConfig("", "colour", batch_size=5)
    return [
        make_member(replace(config, name=name, options={"seed": number}), None)
        for number, name in enumerate(names)
    ]


def test_without_a_budget_no_model_stays():
    warm = WarmModels(choose_placement("cpu"))
    warm.get(members("a")[0])
    warm.give_up()
    assert len(warm) == 0


def test_the_model_that_was_used_last_stays_longest(monkeypatch, opened_models):
    sizes = iter([0, 100] * 10)
    monkeypatch.setattr("prompt_ensemble.run.warm_models.held_memory", lambda _: next(sizes))
    warm = WarmModels(choose_placement("cpu"), budget=250)
    a, b, c = members("a", "b", "c")
    for member in (a, b, a, c):
        warm.get(member)
        warm.give_up()
    assert len(warm) == 2
    warm.get(a)
    assert opened_models == [0, 1, 2]
    warm.get(b)
    assert opened_models == [0, 1, 2, 1]


def test_a_bare_ensemble_needs_no_member(photos):
    with load_ensemble(RunConfig("nobody", ())) as ensemble:
        album = ensemble.survey(photos)
        (member,) = members("a")
        outputs = list(ensemble.outputs(member, album, batches_per_shard=1))
    assert [len(part) for part in outputs] == [5, 5, 2]
