"""Shards, keys and damage."""

from pathlib import Path

import numpy as np
import pytest

from prompt_ensemble.core.outputs import Line, Outputs, from_bytes, to_bytes
from prompt_ensemble.images.survey import SurveyedImage
from prompt_ensemble.run.store import Store, cut_into_shards


def album(count: int) -> list[SurveyedImage]:
    return [SurveyedImage(f"i{n:04}", Path(f"i{n:04}.png"), f"digest{n}") for n in range(count)]


def outputs(images) -> Outputs:
    ids = tuple(image.image_id for image in images)
    lines = tuple((Line("caption", f"a “picture” of {i}", -0.1),) for i in ids)
    return Outputs(ids, lines, np.random.default_rng(0).normal(size=(len(ids), 3)).astype("f"))


def test_findings_survive_their_bytes():
    before = outputs(album(3))
    after = from_bytes(to_bytes(before))
    assert (after.image_ids, after.lines) == (before.image_ids, before.lines)
    assert np.array_equal(after.vectors, before.vectors)


def test_the_same_findings_are_the_same_bytes():
    assert to_bytes(outputs(album(3))) == to_bytes(outputs(album(3)))


@pytest.mark.parametrize("batch_size", [1, 7, 32, 200])
def test_shards_hold_whole_batches_and_every_image_once(batch_size):
    images = album(500)
    shards = cut_into_shards(images, {}, batch_size)
    assert [image for shard in shards for image in shard.images] == images
    assert all(len(shard.images) % batch_size == 0 for shard in shards[:-1])


def test_a_stored_shard_is_found_again(tmp_path):
    store = Store(tmp_path)
    (shard,) = cut_into_shards(album(3), {"model": "x"}, 8)
    store.save("m", shard, outputs(shard.images), 1.5)
    found = store.load("m", shard)
    assert found is not None
    assert found.image_ids == ("i0000", "i0001", "i0002")
    assert store.seconds("m", shard) == 1.5


def changed_content(images):
    return [*images[:-1], SurveyedImage(images[-1].image_id, images[-1].path, "another")]


@pytest.mark.parametrize(
    ("images", "identity"),
    [
        (album(3), {"model": "y"}),
        (album(4), {"model": "x"}),
        (album(3)[:2], {"model": "x"}),
        (changed_content(album(3)), {"model": "x"}),
    ],
    ids=["option", "more images", "fewer images", "content"],
)
def test_any_change_leaves_the_old_shard_unfound(tmp_path, images, identity):
    store = Store(tmp_path)
    (shard,) = cut_into_shards(album(3), {"model": "x"}, 8)
    store.save("m", shard, outputs(shard.images), 0)
    (other,) = cut_into_shards(images, identity, 8)
    assert store.load("m", other) is None


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"\xff" * 8])
def test_a_damaged_shard_is_made_again(tmp_path, damage):
    store = Store(tmp_path)
    (shard,) = cut_into_shards(album(3), {}, 8)
    store.save("m", shard, outputs(shard.images), 0)
    store.path("m", shard).write_bytes(damage)
    assert store.load("m", shard) is None


def test_a_shard_cut_short_is_made_again(tmp_path):
    store = Store(tmp_path)
    (shard,) = cut_into_shards(album(3), {}, 8)
    store.save("m", shard, outputs(shard.images), 0)
    path = store.path("m", shard)
    path.write_bytes(path.read_bytes()[:-4])
    assert store.load("m", shard) is None
