"""Every reader of files that users and earlier runs leave, each with a file that it can read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from tiny_blend import a_blend
from tiny_writer import rows, save_tiny_captioner, save_tiny_writer

from prompt_ensemble.cli.interrogate import read_captions
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.seen_prompts import SeenPrompts
from prompt_ensemble.core.submission import check_submission, read_submission, write_submission
from prompt_ensemble.data.gathering.sources.containers import open_container
from prompt_ensemble.data.gathering.sources.index_files import read_index_file
from prompt_ensemble.data.gathering.sources.tables import open_image_rows
from prompt_ensemble.data.open_prompts import read_open_prompts
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.data.phrase_bank import keep_vectors, read_vectors
from prompt_ensemble.data.phrase_lists import read_phrases
from prompt_ensemble.data.prompt_files import read_prompts, stream_prompts
from prompt_ensemble.data.splits import Split
from prompt_ensemble.data.truth import load_prompts
from prompt_ensemble.images.survey import SurveyedImage
from prompt_ensemble.kaggle.metadata import read_metadata
from prompt_ensemble.members.neighbours.neighbour_bank import BankCard, read_card
from prompt_ensemble.members.neighbours.shards import map_shard, write_shard
from prompt_ensemble.models.error_model import ErrorModel
from prompt_ensemble.models.packed_bank import PackedBank
from prompt_ensemble.models.text_decoder.captioner import read_captioner_card
from prompt_ensemble.models.text_decoder.vocabulary import load_vocabulary
from prompt_ensemble.models.text_decoder.writer import read_writer_card
from prompt_ensemble.models.weights import load_manifest
from prompt_ensemble.run.config import load_config
from prompt_ensemble.run.saved_predictions import read_confidence, read_record
from prompt_ensemble.run.store import NOTES, Shard, Store
from prompt_ensemble.run.tuned_blend import TunedBlend
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.recipe_files import read_recipe
from prompt_ensemble.training.regressor.recipe import Recipe
from prompt_ensemble.words.phrase_vectors import load_phrase_vectors, save_phrase_vectors

Reader = Callable[[Path], object]
CONFIG = b"""prior = "embedded-prior"\n[[members]]\nname = "clip"\nmodel = "regressor"\nweight = 1.0
[members.options]\nviews = ["plain"]\n"""
RECORD = json.dumps({"members": {"one": {"weight": 0.5, "seconds": 1.5}}, "images": 3}).encode()
MANIFEST = b"""{"models": [{"name": "a", "kind": "captioner", "source": "somewhere",
"revision": "1", "licence": "MIT", "files": [{"path": "a.bin", "bytes": 3}]}]}"""
CARD = BankCard("a digest", None, ("another",), "prompt", 10)
METADATA = b'{"id": "me/mine", "title": "mine", "code_file": "x.py", "enable_gpu": true}'
ROWS = np.eye(2, EMBEDDING_WIDTH, dtype=np.float32)
TWO = Embeddings.of(["a", "b"], ROWS)
SHARD = Shard((SurveyedImage("a", Path("a.png"), "0"), SurveyedImage("b", Path("b.png"), "1")), "k")
FOUND = Outputs(("a", "b"), ((Line("caption", "a cat", 0.5),), ()), ROWS)
SPLIT = Split(("a", "b", "c"), np.arange(3), np.array([0, 1, 0]))


def saved(write: Callable[[Path], object], name: str = "file") -> bytes:
    """The bytes of a file as ``write`` leaves it."""
    with TemporaryDirectory() as folder:
        write(Path(folder, name))
        return Path(folder, name).read_bytes()


def saved_parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"prompt": ["a cat", "a dog"]}), buffer)
    return buffer.getvalue()


def shard_path(path: Path) -> Path:
    """Where a store beside ``path`` keeps the shard."""
    return Store(path.parent).path("one", SHARD)


def stored(path: Path) -> Outputs | None:
    """A store's shard, of which ``path`` holds the bytes."""
    shard_path(path).parent.mkdir()
    shard_path(path).write_bytes(path.read_bytes())
    return Store(path.parent).load("one", SHARD)


def noted(path: Path) -> dict[str, float]:
    """The notes of a store, of which ``path`` holds the bytes."""
    (path.parent / "one").mkdir()
    (path.parent / "one" / NOTES).write_bytes(path.read_bytes())
    return Store(path.parent).notes("one")


def all_of_a_shard(path: Path) -> list[str]:
    shard = map_shard(path)
    return [shard.prompt(row) for row in range(len(shard))]


def paired(path: Path) -> object:
    (path.parent / "a.png").touch()
    return read_pairs(path, [])


def indexed(path: Path) -> object:
    container = open_container(path.parent, path.parent / "out" / ".work")
    return list(read_index_file(container, path.name))


def save_shard(path: Path) -> None:
    Store(path.parent).save("one", SHARD, FOUND, 1.0)
    shard_path(path).rename(path)


READERS: dict[str, tuple[str, bytes, Reader]] = {
    "config": ("c.toml", CONFIG, load_config),
    "record": ("run.json", RECORD, lambda path: read_record(path.parent)),
    "split": ("split.json", saved(SPLIT.save), Split.load),
    "blend": ("blend.json", saved(a_blend({"one": 0.7, "two": 0.3}).save), TunedBlend.load),
    "truth": ("p.csv", b"imgId,prompt\na,a cat\nb,a dog\n", load_prompts),
    "confidence": ("c.csv", b"image_id,one\na,0.5\n", lambda path: read_confidence(path, ["a"])),
    "lines": ("l.jsonl", b'{"prompt": "a cat"}\n', lambda path: read_prompts([path])),
    "table": ("t.csv", b'prompt,x\n"a, b",1\n', lambda path: read_prompts([path])),
    "text": ("t.txt", b"a cat\na dog\n", lambda path: read_prompts([path])),
    "parquet": ("p.parquet", saved_parquet(), lambda path: list(stream_prompts([path]))),
    "embeddings": ("e.safetensors", saved(TWO.save), Embeddings.load),
    "submission": ("s.csv", saved(lambda path: write_submission(path, TWO)), read_submission),
    "checked": (
        "s.csv",
        saved(lambda path: write_submission(path, TWO)),
        lambda path: check_submission(path, ["a", "b"]),
    ),
    "store": ("f.safetensors", saved(save_shard), stored),
    "notes": ("n.json", b'{"load_seconds": 1.5}', noted),
    "bank shard": (
        "s.safetensors",
        saved(lambda path: write_shard(path, ["a cat", "a dog"], ROWS, None)),
        all_of_a_shard,
    ),
    "bank card": ("bank.json", json.dumps(asdict(CARD)).encode(), lambda p: read_card(p.parent)),
    "phrase rows": (
        "v.safetensors",
        saved(lambda path: keep_vectors(path, ROWS)),
        lambda path: read_vectors(path, 2),
    ),
    "phrases": ("p.txt", b"a cat\na dog\n", read_phrases),
    "pairs": ("p.jsonl", b'{"image": "a.png", "prompt": "a cat", "source": "x"}\n', paired),
    "image index": ("x.json", b'[{"image": "a.png", "prompt": "a cat"}]', indexed),
    "image index as a table": ("x.csv", b'image,prompt\na.png,"a cat"\n', indexed),
    "table of images": ("t.parquet", saved_parquet(), lambda path: open_image_rows(path, "t")),
    "recipe": ("r.toml", b"steps = 3\n", lambda path: read_recipe(Recipe, path, {})),
    "open prompts": ("o.txt", b"a cat\na dog\na cow\n", read_open_prompts),
    "journal": (
        "metrics.jsonl",
        b'{"step": 1, "loss": 0.5}\n',
        lambda path: Journal(path.parent).forget_after(1),
    ),
    "captions": ("c.jsonl", b'{"image_id": "a", "caption": "a cat"}\n', read_captions),
    "seen prompts": ("t.safetensors", saved(SeenPrompts.of(["a cat"]).save), SeenPrompts.load),
    "manifest": ("m.json", MANIFEST, load_manifest.__wrapped__),
    "metadata": ("kernel-metadata.json", METADATA, read_metadata),
    "known prompts": (
        "bank.safetensors",
        saved(lambda path: PackedBank.of(rows(4)).save(path.parent), "bank.safetensors"),
        PackedBank.load,
    ),
    "errors": (
        "errors.safetensors",
        saved(
            lambda path: ErrorModel.fit(rows(9), rows(9, 1), rows(9, 2)).save(path.parent),
            "errors.safetensors",
        ),
        lambda path: ErrorModel.load(path.parent),
    ),
    "phrase vectors": (
        "phrases.safetensors",
        saved(
            lambda path: save_phrase_vectors({"mediums": np.arange(3)}, rows(3), path.parent),
            "phrases.safetensors",
        ),
        lambda path: load_phrase_vectors(path.parent),
    ),
    "vocabulary": (
        "tokenizer.json",
        saved(lambda path: save_tiny_writer(path.parent), "tokenizer.json"),
        lambda path: load_vocabulary(path.parent),
    ),
    "writer": (
        "writer.json",
        saved(lambda path: save_tiny_writer(path.parent), "writer.json"),
        lambda path: read_writer_card(path.parent),
    ),
    "captioner": (
        "captioner.json",
        saved(lambda path: save_tiny_captioner(path.parent), "captioner.json"),
        lambda path: read_captioner_card(path.parent),
    ),
}
"""Name → the file's name, its right content, and what reads it."""
