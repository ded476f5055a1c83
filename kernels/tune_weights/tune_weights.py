"""Tunes the blend of what predict_validation predicted; blend.json is for 'predict --blend'."""

from install_wheels import install

install()

from prompt_ensemble.cli.main import main  # noqa: E402
from prompt_ensemble.kaggle.machine import Machine  # noqa: E402

machine = Machine.here()
truth = machine.find("prompts.csv", "the validation images' prompts") / "prompts.csv"
run = machine.find("run.json", "the output of the kernel prompt-ensemble-predict-validation")
blend = machine.working / "blend.json"
raise SystemExit(main(["tune", str(run), "--truth", str(truth), "--out", str(blend)]))
