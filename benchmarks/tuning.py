"""Tune 8 members × 100,000 images × 384 with 5 folds, from vectors in memory to blend.json.

python benchmarks/tuning.py [--members 8] [--images 100000]

Finding the groups of 100,000 distinct prompts is timed apart: it is done once per validation set.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.splits import k_folds
from prompt_ensemble.tuning.tune import tune

PROMPTS_PER_GROUP = 2


def truth_of(images: int, random: np.random.Generator) -> Embeddings:
    """Prompts in groups of two that differ a little."""
    directions = random.standard_normal((images // PROMPTS_PER_GROUP, EMBEDDING_WIDTH), np.float32)
    rows = np.repeat(directions, PROMPTS_PER_GROUP, axis=0)
    rows += 0.4 * random.standard_normal(rows.shape, np.float32)
    return Embeddings.of((f"{number:09x}" for number in range(len(rows))), rows)


def member_of(truth: Embeddings, noise: float, random: np.random.Generator) -> Embeddings:
    """The truth through so many times its length of noise."""
    blur = random.standard_normal(truth.vectors.shape, np.float32)
    blur *= noise / EMBEDDING_WIDTH**0.5
    blur += truth.vectors
    return Embeddings.of(truth.image_ids, blur)


def peak_gb() -> float:
    """Most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--images", type=int, default=100_000)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    truth = truth_of(asked.images, random)
    parts = {
        f"member{number}": member_of(truth, 1.2 + 0.3 * number, random)
        for number in range(asked.members)
    }
    before = peak_gb()
    started = time.perf_counter()
    groups = connected_groups(truth.vectors)
    grouped = time.perf_counter()
    tuned = tune(parts, truth, groups, k_folds(groups, 5))
    with tempfile.TemporaryDirectory() as folder:
        tuned.save(Path(folder) / "blend.json")
    done = time.perf_counter()
    print(f"| {asked.members} members × {asked.images} images | |")
    print("|---|---|")
    print(f"| groups of prompts | {grouped - started:.1f} s ({tuned.validation.groups} groups) |")
    print(f"| tuning, 5 folds, all methods, gate, leave-one-out | {done - grouped:.1f} s |")
    print(f"| peak memory (of which inputs {before:.2f} GB) | {peak_gb():.2f} GB |")
    print(f"| {tuned.chosen}, held out | {tuned.held_out} |")


if __name__ == "__main__":
    main()
