"""From no data to a judged regressor: python examples/data_from_nothing.py MODEL OUT COUNT STEPS.

Prompts are written, drawn by the diffusion model MODEL, gathered from the pictures that carry them,
freed of duplicates and split; a regressor learns from one side and is judged on the other.
"""

import csv
import json
import sys
from pathlib import Path

from prompt_ensemble import SentenceEncoder, predict
from prompt_ensemble.cli.main import main
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.data.splits import hold_out
from prompt_ensemble.run.config import MemberConfig, RunConfig

model, out, count, steps = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]


def run(*words: object) -> None:
    """A command of the package; its one line of complaint ends the program."""
    if main([str(word) for word in words]) != 0:
        sys.exit(1)


run("write-prompts", "--count", count, "--out", out / "written.txt")
run("generate", out / "written.txt", "--model", model, "--out", out / "drawn")
run("gather", out / "drawn", "--out", out / "set", "--smallest-side", 32, "--drop-near-images")
run("dedupe", out / "set/prompts.csv", "--out", out / "kept.txt", "--threshold", 0.9)

pairs = read_pairs(out / "set/pairs.jsonl", ())
kept = set((out / "kept.txt").read_text(encoding="utf-8").splitlines())
rows = [pair for pair in pairs.rows if pair.prompt in kept]
groups = connected_groups(SentenceEncoder().encode([pair.prompt for pair in rows]))
is_held_out = hold_out(groups, 0.3)
learnt = [pair for pair, held in zip(rows, is_held_out, strict=True) if not held]
judged = [pair for pair, held in zip(rows, is_held_out, strict=True) if held]
with (out / "learnt.jsonl").open("w", encoding="utf-8") as file:
    for pair in learnt:
        image = str(pair.image.absolute())
        file.write(json.dumps({"image": image, "prompt": pair.prompt, "source": "drawn"}) + "\n")
with (out / "judged.csv").open("w", encoding="utf-8", newline="") as file:
    table = csv.writer(file)
    table.writerow(["imgId", "prompt"])
    table.writerows((pair.image.stem, pair.prompt) for pair in judged)

run("train", "regressor", "--data", out / "learnt.jsonl", "--out", out / "run",
    "--hold-out-share", 0, "--set", f"steps={steps}", "--set", f"head_steps={steps}")  # fmt: skip
member = MemberConfig("drawn", "regressor", str(out / "run/regressor"), 1.0, 32)
ensemble = RunConfig("drawn", (member,), prior="embedded-prior")
predict([pair.image for pair in judged], out / "predicted", config=ensemble)
run("evaluate", out / "predicted", "--truth", out / "judged.csv", "--out", out / "page")
