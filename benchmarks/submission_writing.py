"""Write 16,000 images × 384 rows: ours against the usual pandas way, in turn, in fresh processes.

python benchmarks/submission_writing.py [--images 16000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def predictions(images: int) -> tuple[list[str], np.ndarray]:
    ids = [f"{number:09x}" for number in range(images)]
    vectors = np.random.default_rng(0).normal(size=(images, 384)).astype(np.float32)
    return ids, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_ours(path: Path, ids: list[str], vectors: np.ndarray) -> None:
    from prompt_ensemble.core.embeddings import Embeddings
    from prompt_ensemble.core.submission import write_submission

    write_submission(path, Embeddings(tuple(ids), vectors), ids)


def write_with_pandas(path: Path, ids: list[str], vectors: np.ndarray) -> None:
    import pandas as pd

    index = [f"{image}_{place}" for image in ids for place in range(384)]
    table = pd.DataFrame({"imgId_eId": index, "val": vectors.flatten()})
    table.to_csv(path, index=False)


WAYS = {"ours": write_ours, "pandas": write_with_pandas}


def measure(way: str, images: int) -> dict[str, float]:
    """Seconds of writing (imports warmed by a tiny file) and peak memory of this whole process."""
    with tempfile.TemporaryDirectory() as folder:
        WAYS[way](Path(folder) / "warm.csv", *predictions(2))
        ids, vectors = predictions(images)
        started = time.perf_counter()
        WAYS[way](Path(folder) / "submission.csv", ids, vectors)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def in_fresh_process(way: str, images: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--images", str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked.way, asked.images)))
        return
    rounds = [
        {way: in_fresh_process(way, asked.images) for way in WAYS} for _ in range(asked.rounds)
    ]
    ratio = [one["pandas"]["seconds"] / one["ours"]["seconds"] for one in rounds]
    print(f"| {asked.images} images, median of {asked.rounds} | seconds | peak MB |")
    print("|---|---|---|")
    for way in WAYS:
        seconds = statistics.median(one[way]["seconds"] for one in rounds)
        peak = max(one[way]["peak_mb"] for one in rounds)
        print(f"| {way} | {seconds:.2f} | {peak:.0f} |")
    print(f"| pandas / ours | {statistics.median(ratio):.1f}× | |")


if __name__ == "__main__":
    main()
