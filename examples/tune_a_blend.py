"""Weights for the members of a finished run: python examples/tune_a_blend.py RUN PROMPTS.csv."""

import sys
from pathlib import Path

from prompt_ensemble import SentenceEncoder, blend, mean_cosine
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.splits import k_folds
from prompt_ensemble.data.truth import read_truth
from prompt_ensemble.run.saved_predictions import judged_images, load_parts
from prompt_ensemble.tuning.tune import tune

run, prompts = map(Path, sys.argv[1:3])
parts = load_parts([run])
truth = judged_images(parts, read_truth(prompts, SentenceEncoder().encode).embeddings)
groups = connected_groups(truth.vectors)
tuned = tune(parts, truth, groups, k_folds(groups, min(5, len(set(groups.tolist())))))
equal = blend(parts, dict.fromkeys(parts, 1.0))
print("weights", dict(tuned.weights))
print(f"held out {tuned.held_out}, equal weights {mean_cosine(equal, truth):.4f}")
