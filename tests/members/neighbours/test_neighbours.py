"""Neighbour banks: built in shards, continued, damaged, searched exactly and with FAISS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig, BadWeights, MismatchedIds
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.data.prompt_files import stream_prompts
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.neighbours import faiss_search
from prompt_ensemble.members.neighbours.exact_search import search_exactly
from prompt_ensemble.members.neighbours.neighbour_bank import build_bank, describe, open_neighbours
from prompt_ensemble.members.neighbours.neighbour_predictor import (
    NeighbourOptions,
    NeighbourPredictor,
)
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.two_sided_towers.tower_source import find_tower, load_tower
from prompt_ensemble.models.weights import WeightRoots

PROMPTS = [f"prompt number {number} é" for number in range(1000)]


def seeded(texts, width=384):
    """A stand-in for the encoder: a fixed direction for each text."""
    rows = [np.random.default_rng(list(text.encode())).normal(size=width) for text in texts]
    return unit_rows(np.array(rows))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(PROMPTS), encoding="utf-8")
    return path


@pytest.fixture
def bank(tmp_path, source):
    card = describe([source], "encoder", None, "prompt", 300)
    return build_bank(tmp_path / "bank", [source], card, seeded)


def test_every_prompt_is_found_again_by_its_number(bank):
    assert len(bank.shards) == 4
    assert [bank.prompt(number) for number in range(len(bank))] == PROMPTS


def test_exact_search_equals_one_plain_product(bank):
    queries = seeded(["one", "two"])
    rows = bank.vectors(np.arange(len(bank)))
    expected = np.argsort(-(queries @ rows.T), axis=1, kind="stable")[:, :50]
    assert (search_exactly(bank, queries, 50).numbers == expected).all()


def test_equal_prompts_stand_in_the_order_of_the_bank(tmp_path):
    source = tmp_path / "same.txt"
    source.write_text("same\n" * 10)
    card = describe([source], "encoder", None, "prompt", 3)
    bank = build_bank(tmp_path / "bank", [source], card, seeded)
    assert search_exactly(bank, seeded(["same"]), 7).numbers.tolist() == [list(range(7))]


def test_a_stopped_build_continues_and_gives_the_same_bank(tmp_path, source, bank):
    calls = []

    def stopping(texts):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(texts)
        return seeded(texts)

    def counting(texts):
        calls.append(texts)
        return seeded(texts)

    folder = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        build_bank(folder, [source], bank.card, stopping)
    build_bank(folder, [source], bank.card, counting)
    assert len(calls) == 4
    for shard in bank.shards:
        assert (folder / shard.path.name).read_bytes() == shard.path.read_bytes()


def test_another_bank_in_the_folder_is_refused(tmp_path, source, bank):
    source.write_text("something else\n")
    card = describe([source], "encoder", None, "prompt", 300)
    with pytest.raises(BadConfig, match="another folder"):
        build_bank(bank.folder, [source], card, seeded)


@pytest.mark.parametrize("damage", ["cut", "garbage", "gone"])
def test_a_damaged_shard_is_reported(bank, damage):
    path = bank.shards[1].path
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        path.write_bytes(b"\xff" * 1000)
    else:
        path.unlink()
    with pytest.raises(BadWeights, match="build"):
        open_neighbours(bank.folder)


def test_keys_of_a_tower_are_searched_and_embeddings_averaged(tmp_path, source):
    card = describe([source], "encoder", "tower", "prompt", 300)
    folder = tmp_path / "towers"
    bank = build_bank(folder, [source], card, seeded, lambda texts: seeded(texts, 64))
    found = search_exactly(bank, seeded([PROMPTS[400]], 64), 3)
    assert found.numbers[0, 0] == 400
    assert bank.vectors(found.numbers).shape == (1, 3, 384)
    with pytest.raises(MismatchedIds, match="64"):
        search_exactly(bank, seeded(["text"]), 3)


def test_parquet_and_csv_give_the_prompts_of_text(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"prompt": ["a  b", None, "c, d"]})
    table.to_parquet(tmp_path / "table.parquet")
    table.to_csv(tmp_path / "table.csv")
    for name in ("table.parquet", "table.csv"):
        assert list(stream_prompts([tmp_path / name])) == ["a b", "c, d"]
    with pytest.raises(BadConfig, match="--column"):
        list(stream_prompts([tmp_path / "table.parquet"], "text"))


@pytest.mark.parametrize("content", [b"\xff\xfe prompt", b"\n \n"])
def test_files_without_readable_prompts_are_refused(tmp_path, content):
    source = tmp_path / "odd.txt"
    source.write_bytes(content)
    card = describe([source], "encoder", None, "prompt", 300)
    with pytest.raises(BadConfig, match=r"odd\.txt"):
        build_bank(tmp_path / "bank", [source], card, seeded)


@pytest.mark.parametrize(("kind", "least"), [("hnsw", 0.95), ("ivfpq", 0.5)])
def test_an_index_finds_most_of_the_true_neighbours(bank, kind, least):
    pytest.importorskip("faiss")
    faiss_search.build_index(bank, kind)
    queries = seeded(PROMPTS[:20]) + seeded([f"{prompt}!" for prompt in PROMPTS[:20]])
    found = faiss_search.FaissSearch(bank, kind, effort=200).search(queries, 10)
    exact = search_exactly(bank, queries, 10)
    assert faiss_search.recall(found, exact) >= least
    np.testing.assert_allclose(found.cosines[:, 0], exact.cosines[:, 0], atol=1e-5)


def test_an_index_of_another_bank_is_refused(bank):
    pytest.importorskip("faiss")
    faiss_search.build_index(bank, "hnsw")
    bank.shards[-1].path.unlink()
    with pytest.raises(BadWeights, match="make it again"):
        faiss_search.FaissSearch(open_neighbours(bank.folder), "hnsw")


def test_the_member_names_the_nearest_and_embeds_their_mean(bank):
    options = NeighbourOptions(vectors_from="other", nearest=5, shown=2)
    member = NeighbourPredictor(str(bank.folder), options, WeightRoots.usual())
    seen = Outputs.of_vectors(("a", "b"), seeded([PROMPTS[3], PROMPTS[700]]))
    placement = choose_placement("cpu")
    with torch.inference_mode(), placement.autocast():
        batch = Batch(("b", "a"), needed={"other": seen.take(["b", "a"])})
        found = member.open(placement).run(batch)
    assert [row[0].text for row in found.lines] == [PROMPTS[700], PROMPTS[3]]
    assert all(len(row) == 2 for row in found.lines)
    near = (found.vectors * seen.vectors[::-1]).sum(axis=1)
    assert (near > 0.999).all()


def test_a_member_without_a_source_of_vectors_is_refused(bank):
    with pytest.raises(BadConfig, match="vectors_from"):
        NeighbourPredictor(str(bank.folder), NeighbourOptions(), WeightRoots(()))


def test_missing_sources_are_named():
    with pytest.raises(BadConfig, match="absent"):
        describe([Path("absent.txt")], "encoder", None, "prompt", 300)


def test_a_bank_of_another_space_is_refused(tmp_path, source, bank):
    card = describe([source], "encoder", "some tower", "prompt", 300)
    folder = tmp_path / "towers"
    build_bank(folder, [source], card, seeded, lambda texts: seeded(texts, 64))
    with pytest.raises(BadConfig, match="another tower"):
        NeighbourPredictor(str(folder), NeighbourOptions(vectors_from="other"), WeightRoots(()))


def test_a_tower_looks_its_images_up_among_its_own_keys(tmp_path, source):
    from tiny_clip import CPU, look, pictures, save_tiny

    save_tiny(tmp_path / "tiny")
    options = NeighbourOptions(tower=str(tmp_path / "tiny"), nearest=4, shown=4)
    tower = find_tower(options.tower, "", WeightRoots(()))
    loaded = load_tower(tower, CPU, WeightRoots(()))

    def keys(texts):
        with torch.inference_mode():
            return loaded.encode_texts(texts).numpy()

    card = describe([source], "encoder", tower.text_digest(), "prompt", 300)
    bank = build_bank(tmp_path / "towers", [source], card, seeded, keys)
    member = NeighbourPredictor(str(bank.folder), options, WeightRoots(()))
    images = pictures(3)
    found = look(member.open(CPU), images)
    pixels = torch.stack([loaded.recipe.prepare(image) for image in images.values()])
    with torch.inference_mode():
        cosines = loaded.encode_images(pixels).numpy() @ bank.keys(np.arange(len(bank))).T
    assert [row[0].text for row in found.lines] == [PROMPTS[at] for at in cosines.argmax(axis=1)]
    assert found.vectors.shape == (3, 384)
