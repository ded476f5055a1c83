"""Trains a regressor on pairs of images and prompts (pairs.jsonl); see RECIPE."""

from install_wheels import install

RECIPE = ["steps=3000", "batch_size=64", "precision=fp16", "frozen_stages=0"]

install()

from prompt_ensemble.cli.main import main  # noqa: E402
from prompt_ensemble.kaggle.machine import Machine  # noqa: E402

machine = Machine.here()
pairs = machine.find("pairs.jsonl", "pairs of images and prompts") / "pairs.jsonl"
recipe = [part for key in RECIPE for part in ("--set", key)]
out = str(machine.working / "regressor")
raise SystemExit(main(["train", "regressor", "--data", str(pairs), "--out", out, *recipe]))
