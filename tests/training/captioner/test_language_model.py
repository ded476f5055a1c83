"""A captioner on a published language model: frozen, by LoRA, and whole."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_language_model import WIDTH, save_bert, save_gpt2, save_other
from tiny_tower import NAME, save_tiny_tower
from tiny_writer import save_tiny_writer
from training_samples import encode, write_pairs

from prompt_ensemble.core.errors import BadConfig, BadWeights, MissingDependency
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.text_decoder.captioner import load_captioner
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.captioner.captioner_training import captions_of, train_captioner
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.journal import Journal

TINY = CaptionerRecipe(
    library="timm", tower=NAME, backbone="tower", decoder="language-model", language_model="gpt2",
    rows=2, longest=16, steps=6, batch_size=8, rate=1e-2, average=0.5, lora_rank=2,
)  # fmt: skip
TUNED = pytest.mark.parametrize("tuned", ["frozen", "lora", "whole"])


def train(folder: Path, out: str, recipe: CaptionerRecipe, **more: object) -> dict[str, object]:
    roots = save_tiny_tower(folder / "weights")
    if not (folder / "weights" / "gpt2").exists():
        save_gpt2(folder / "weights" / "gpt2")
    options = {"held_out": HeldOut(share=0), "checkpoint_every": 2, "cpu": True} | more
    return train_captioner(
        write_pairs(folder / "data"), recipe, folder / out, encode=encode, roots=roots,
        cache=folder / "cache", **options,
    )  # type: ignore[arg-type]  # fmt: skip


def recipe_of(tuned: str) -> CaptionerRecipe:
    if tuned == "lora":
        pytest.importorskip("peft")
    return replace(TINY, tuned=tuned)


@TUNED
def test_the_loss_falls(tmp_path: Path, tuned: str) -> None:
    train(tmp_path, "run", replace(recipe_of(tuned), steps=100), checkpoint_every=100)
    first, last = [note["loss"] for note in Journal(tmp_path / "run").notes() if "loss" in note]
    assert last < first


@TUNED
def test_a_stopped_run_ends_in_the_same_weights(tmp_path: Path, tuned: str) -> None:
    recipe = recipe_of(tuned)
    train(tmp_path, "whole", recipe)
    train(tmp_path, "parts", recipe, stop_after=3)
    train(tmp_path, "parts", recipe)
    whole, parts = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    for kind in ("model", "average"):
        for name, tensor in whole[kind].items():
            assert torch.allclose(parts[kind][name], tensor, atol=1e-5), name


@TUNED
def test_what_is_saved_stands_alone(tmp_path: Path, tuned: str) -> None:
    """Neither the language model's folder nor an adapter is needed any more."""
    train(tmp_path, "run", recipe_of(tuned), held_out=HeldOut(sources=("left",)))
    saved = (tmp_path / "run" / "captioner").rename(tmp_path / "mine")
    (tmp_path / "weights" / "gpt2").rename(tmp_path / "gone")
    roots = WeightRoots((tmp_path / "weights",))
    rows = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    said = captions_of(saved, roots, rows, "cpu")
    assert len(said) == 3
    names = load_file(saved / "captioner.safetensors").keys()
    assert not any("lora" in name for name in names)
    assert str(tmp_path) not in (saved / "captioner.json").read_text()


@TUNED
def test_only_what_is_tuned_leaves_the_published_weights(tmp_path: Path, tuned: str) -> None:
    train(tmp_path, "run", replace(recipe_of(tuned), steps=20))
    learnt, _ = load_captioner(tmp_path / "run" / "captioner")
    published = load_file(tmp_path / "weights" / "gpt2" / "model.safetensors")
    state = learnt.decoder.text.state_dict()
    moved = {
        name
        for name, tensor in published.items()
        if not torch.allclose(state[name].float(), tensor, atol=2e-3)
    }
    assert bool(moved) == (tuned != "frozen")
    assert ("transformer.wte.weight" in moved) == (tuned == "whole")


def test_checkpoints_do_not_hold_what_does_not_learn(tmp_path: Path) -> None:
    train(tmp_path, "run", TINY)
    state = load_state(tmp_path / "run" / "checkpoint.pt")
    assert not any(".text." in name for name in [*state["model"], *state["average"]])


def test_memory_rows_begin_as_large_as_words(tmp_path: Path) -> None:
    train(tmp_path, "run", replace(TINY, rate=1e-9))
    captioner, _ = load_captioner(tmp_path / "run" / "captioner")
    with torch.inference_mode():
        rows = captioner.decoder.prefix(captioner.read(torch.randn(4, 64)))
    words = captioner.decoder.text.get_input_embeddings().weight.detach()
    assert rows.shape == (4, 2, WIDTH)
    assert float(rows.std()) == pytest.approx(float(words.std()), rel=0.2)


def test_captions_end_where_positions_do(tmp_path: Path) -> None:
    save_gpt2(tmp_path / "weights" / "gpt2", positions=12)
    train(tmp_path, "run", TINY)
    captioner, _ = load_captioner(tmp_path / "run" / "captioner")
    assert captioner.card.decoder.longest == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"language_model": ""}, "needs language_model"),
        ({"decoder": "transformer"}, "needs language_model"),
        ({"start_from": "writer"}, "goes without start_from"),
        ({"decoder": "recurrent", "language_model": "", "tuned": "whole"}, "how much learns"),
        ({"rows": 62}, "set fewer rows"),
    ],
)
def test_recipes_that_contradict_themselves_are_one_clear_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(BadConfig, match=message):
        train(tmp_path, "run", replace(TINY, **change))  # type: ignore[arg-type]


def test_a_model_that_looks_ahead_is_refused(tmp_path: Path) -> None:
    save_bert(tmp_path / "weights" / "bert")
    with pytest.raises(BadWeights, match="does not write word by word"):
        train(tmp_path, "run", replace(TINY, language_model="bert"))


@pytest.mark.parametrize("kind", ["llama", "opt"])
def test_models_of_other_makes_caption_too(tmp_path: Path, kind: str) -> None:
    """One with turned positions and a head of its own, one with words narrower than its layers."""
    save_other(tmp_path / "weights" / kind, kind)
    recipe = replace(TINY, language_model=kind)
    record = train(tmp_path, "run", recipe, held_out=HeldOut(sources=("left",)))
    assert "score" in record


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    save_tiny_writer(tmp_path / "weights" / "other")
    (tmp_path / "weights" / "other" / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(BadWeights, match="'vit' is no causal language model"):
        train(tmp_path, "run", replace(TINY, language_model="other"))


def test_code_that_comes_with_a_model_is_refused(tmp_path: Path) -> None:
    file = save_gpt2(tmp_path / "weights" / "gpt2") / "config.json"
    config = json.loads(file.read_text()) | {"auto_map": {"AutoModelForCausalLM": "code.Model"}}
    file.write_text(json.dumps(config))
    with pytest.raises(BadWeights, match="asks for code"):
        train(tmp_path, "run", TINY)


def test_a_description_larger_than_its_weights_is_refused(tmp_path: Path) -> None:
    train(tmp_path, "run", TINY)
    file = tmp_path / "run" / "captioner" / "captioner.json"
    card = json.loads(file.read_text())
    card["decoder"]["language_model"] |= {"n_embd": 8192, "n_layer": 200}
    file.write_text(json.dumps(card))
    with pytest.raises(BadWeights, match="too few for the network"):
        load_captioner(file.parent)


def test_lora_without_peft_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependency, match=r"pip install 'prompt-ensemble\[training\]'"):
        train(tmp_path, "run", replace(TINY, tuned="lora"))
