"""The competition's images in, submission.csv out; no internet. Edit PRESET, push, submit."""

from install_wheels import install

PRESET = "embedded"
DEADLINE = "8h30m"

install()

from prompt_ensemble.kaggle.submitting import main  # noqa: E402

raise SystemExit(main(PRESET, DEADLINE))
