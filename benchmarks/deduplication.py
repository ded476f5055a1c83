"""De-duplicate a million prompts: time, memory, and what the inverted lists miss.

python benchmarks/deduplication.py PROMPT_FILES … [--rows 1000000] [--texts 40000] [--exact 100000]

``--texts`` real prompts are embedded; rows up to ``--rows`` are made from them: a third are a
prompt seen before with a little noise, the others are mixtures of two prompts, so that they lie
where prompts lie. Recall is exact on a sample: of the sampled rows that have a kept row before
them within the threshold, the share that was dropped. The exact way is timed on ``--exact`` rows.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, unit_rows
from prompt_ensemble.data.approximate_index import ApproximateIndex
from prompt_ensemble.data.deduplication import near_duplicates
from prompt_ensemble.data.exact_index import ExactIndex
from prompt_ensemble.data.normalising import first_of_each
from prompt_ensemble.data.prompt_files import read_prompts
from prompt_ensemble.models.sentence_encoder import SentenceEncoder

THRESHOLD = 0.8
ROWS_PER_STEP = 16_384
SAMPLE = 5000


def real_vectors(files: list[Path], texts: int) -> np.ndarray:
    """Embeddings of distinct prompts, evenly spread over the files."""
    prompts = read_prompts(files)
    distinct = sorted(set(first_of_each(prompts)))
    chosen = [distinct[place] for place in range(0, len(distinct), -(-len(distinct) // texts))]
    started = time.perf_counter()
    vectors = SentenceEncoder().encode([prompts[place] for place in chosen])
    seconds = time.perf_counter() - started
    print(f"| embedding {len(chosen)} real prompts | {seconds:.0f} s | |")
    return vectors


def steps(real: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """Real rows, then made ones, some thousand at a time; always the same."""
    yield from (real[start : start + ROWS_PER_STEP] for start in range(0, len(real), ROWS_PER_STEP))
    random = np.random.default_rng(0)
    for start in range(len(real), rows, ROWS_PER_STEP):
        count = min(ROWS_PER_STEP, rows - start)
        one, other = real[random.integers(0, len(real), (2, count))]
        share = np.where(random.random(count) < 1 / 3, 0.05, random.uniform(0.3, 0.7, count))
        blur = random.standard_normal((count, EMBEDDING_WIDTH), np.float32) * 0.02
        yield unit_rows(one * (1 - share[:, None]) + other * share[:, None] + blur)


def timed(index: ApproximateIndex | ExactIndex, real: np.ndarray, rows: int) -> np.ndarray:
    """Rows that stand for each row, with the time printed."""
    started, computed = time.perf_counter(), time.process_time()
    found = near_duplicates(steps(real, rows), THRESHOLD, index)
    seconds, processor = time.perf_counter() - started, time.process_time() - computed
    kept = int((found == np.arange(len(found))).sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    name = type(index).__name__
    spent = f"{seconds:.0f} s ({processor:.0f} s of processor time)"
    print(f"| {name}, {len(found)} rows, {kept} kept | {spent} | peak {peak:.2f} GB |")
    return found


def sampled_recall(found: np.ndarray, real: np.ndarray) -> tuple[float, int]:
    """Share of the sampled rows with a kept row near and before them that were dropped."""
    random = np.random.default_rng(1)
    sample = np.sort(random.choice(len(found), min(SAMPLE, len(found)), replace=False))
    kept = found == np.arange(len(found))
    queries = np.concatenate(list(rows_of(real, len(found), sample)))
    near = np.zeros(len(sample), bool)
    done = 0
    for step in steps(real, len(found)):
        places = done + np.flatnonzero(kept[done : done + len(step)])
        later = np.flatnonzero((sample > done) & ~near)
        close = queries[later] @ step[places - done].T >= THRESHOLD
        near[later] = (close & (places < sample[later][:, None])).any(axis=1)
        done += len(step)
    return float(np.mean(~kept[sample[near]])), int(near.sum())


def rows_of(real: np.ndarray, rows: int, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """Some rows out of all steps."""
    done = 0
    for step in steps(real, rows):
        inside = chosen[(chosen >= done) & (chosen < done + len(step))]
        yield step[inside - done]
        done += len(step)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--texts", type=int, default=40_000)
    parser.add_argument("--exact", type=int, default=100_000)
    asked = parser.parse_args()
    print(f"| threshold {THRESHOLD} | time | memory |\n|---|---|---|")
    real = real_vectors(asked.files, asked.texts)
    exact = timed(ExactIndex(), real, asked.exact)
    listed = timed(ApproximateIndex(limit=asked.exact // 5), real, asked.exact)
    same = np.mean((exact == np.arange(len(exact))) == (listed == np.arange(len(listed))))
    print(f"| the same decision in both | {same:.4%} of {asked.exact} rows | |")
    recall, pairs = sampled_recall(timed(ApproximateIndex(), real, asked.rows), real)
    print(f"| recall against exact, of {pairs} sampled duplicates | {recall:.4f} | |")


if __name__ == "__main__":
    main()
