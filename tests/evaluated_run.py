"""A finished run over painted pictures, as ``predict --out`` leaves one, with known predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.core.submission import write_submission

WORDS = ("castle", "robot", "forest", "portrait", "ocean", "city")
WEIGHTS = {"seer": 0.8, "talker": 0.2}


def write_run(folder: Path, images: int = 24, noise: float = 1.0, seed: int = 0) -> Path:
    """``folder/run``, ``folder/truth.csv``-like files and ``folder/images``; returns the run."""
    random = np.random.default_rng(0)
    truth = unit_rows(random.normal(size=(images, EMBEDDING_WIDTH)))
    ids = tuple(f"i{number:03}" for number in range(images))
    prompts = [
        f"a <b>{WORDS[n % 6]}</b> number {n}" + ", detailed" * (n % 12) for n in range(images)
    ]
    paint(folder / "images", ids)
    Embeddings(ids, truth).save(folder / "truth.safetensors")
    with (folder / "prompts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["imgId", "prompt", "source"])
        table.writerows(
            [i, p, f"source{n % 2}"] for n, (i, p) in enumerate(zip(ids, prompts, strict=True))
        )
    blur = np.random.default_rng(seed + 1).normal(size=(2, *truth.shape)) / EMBEDDING_WIDTH**0.5
    parts = {
        "seer": Embeddings.of(ids, truth + noise * blur[0]),
        "talker": Embeddings.of(ids, truth + 2 * noise * blur[1]),
    }
    return leave(folder / f"run{seed}", parts, prompts)


def leave(run: Path, parts: dict[str, Embeddings], prompts: list[str]) -> Path:
    """The files of a run."""
    for name, part in parts.items():
        part.save(run / "embeddings" / f"{name}.safetensors")
    write_submission(run / "submission.csv", blend(parts, WEIGHTS))
    members = {
        name: {"weight": WEIGHTS[name], "seconds": 1.2, "peak_memory_mb": 70} for name in parts
    }
    (run / "run.json").write_text(json.dumps({"members": members}))
    ids = parts["seer"].image_ids
    rows = [[i, f"caption: not {p}", "0.1", ""] for i, p in zip(ids, prompts, strict=True)]
    with (run / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image_id", "talker", "seconds", "problem"], *rows])
    sure = [[i, f"{n / len(ids):.3f}", "0.1"] for n, i in enumerate(ids)]
    with (run / "confidence.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image_id", "talker score", "talker margin"], *sure])
    return run


def answer(run: Path, texts: dict[str, str]) -> None:
    """Put the run's answers into its table, before what its members say."""
    with (run / "predictions.csv").open(newline="") as file:
        (_, *names), *rows = csv.reader(file)
    answered = [[i, texts.get(i, ""), "0.5", *rest] for i, *rest in rows]
    with (run / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image_id", "prompt", "trust", *names], *answered])


def paint(folder: Path, ids: tuple[str, ...]) -> None:
    """Small pictures."""
    if folder.exists():
        return
    folder.mkdir()
    for number, image_id in enumerate(ids):
        Image.new("RGB", (40, 30), (10 * number % 256, 80, 160)).save(folder / f"{image_id}.png")
