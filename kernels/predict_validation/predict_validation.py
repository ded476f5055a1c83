"""Predicts images whose prompts are known (images/ next to prompts.csv), for tune_weights."""

from install_wheels import install

PRESET = "embedded"

install()

from prompt_ensemble.cli.main import main  # noqa: E402
from prompt_ensemble.kaggle.machine import Machine  # noqa: E402

machine = Machine.here()
images = machine.find("prompts.csv", "the validation images and their prompts") / "images"
asked = ["--preset", PRESET, "--device", "all", "--on-bad-image", "prior"]
raise SystemExit(main(["predict", str(images), "--out", str(machine.continue_run()), *asked]))
