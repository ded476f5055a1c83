"""What a run leaves in its folder: the submission, a table and a page for people, a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prompt_ensemble.core.certainty import text_confidence
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.submission import submission_ids, write_submission
from prompt_ensemble.run.page import write_report
from prompt_ensemble.run.prediction import Prediction
from prompt_ensemble.run.sidecars import FOLDER, write_sidecars

RECORDED_PACKAGES = (
    "prompt-ensemble",
    "torch",
    "transformers",
    "sentence-transformers",
    "timm",
    "open_clip_torch",
    "numpy",
    "pillow",
)
CONFIDENCE_TABLE = "confidence.csv"
TRAINED_ON_FOLDER = "trained_on"
"""Which prompts members were trained on, so that tuning and evaluating can tell a leak."""


def write_results(
    prediction: Prediction, out: Path, sample: Path | None = None, *, sidecars: bool = False
) -> None:
    """Everything a run leaves, ``submission.csv`` last: where it is, all the rest is."""
    ids = submission_ids(sample) if sample else None
    for name, result in prediction.members.items():
        result.embeddings.save(out / "embeddings" / f"{name}.safetensors")
    for name, path in prediction.trained_on.items():
        write_atomically(out / TRAINED_ON_FOLDER / f"{name}.safetensors", path.read_bytes())
    write_table(prediction, out / "predictions.csv")
    _write_confidence(prediction, out / CONFIDENCE_TABLE)
    write_report(prediction, out / "report.html")
    write_atomically(out / "run.json", json.dumps(run_record(prediction), indent=2) + "\n")
    if sidecars:
        write_sidecars(prediction, out / FOLDER)
    write_submission(out / "submission.csv", prediction.embeddings, ids)


def write_table(prediction: Prediction, path: Path) -> None:
    """One row an image: id, what each member says, seconds, and what is wrong if anything."""
    table = prediction.to_frame().to_csv(index=False, float_format="%.4f", lineterminator="\r\n")
    write_atomically(path, table)


def _write_confidence(prediction: Prediction, path: Path) -> None:
    """One row an image: how sure each speaking member is, which tuning may weigh it by."""
    import pandas as pd

    outputs = {name: result.outputs for name, result in prediction.members.items()}
    image_ids = [image.image_id for image in prediction.album.good]
    table = pd.DataFrame({"image_id": image_ids, **text_confidence(outputs)})
    write_atomically(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\r\n"))


def run_record(prediction: Prediction) -> dict[str, object]:
    """All it takes to know how a submission came about."""
    config = prediction.config
    return {
        "preset": config.name,
        "prior": config.prior,
        "device": str(prediction.placement),
        "images": len(prediction.album.image_ids),
        "bad_images": [[bad.image_id, bad.reason] for bad in prediction.album.bad],
        "seconds": round(prediction.seconds, 3),
        "members": {
            member.name: {
                "weight": prediction.weights.members.get(member.name, 0.0),
                "weight_from": prediction.weights.source,
                "seconds": round(float(prediction.members[member.name].seconds.sum()), 3),
                "peak_memory_mb": prediction.members[member.name].peak_memory // 1_000_000,
                "identity": prediction.members[member.name].identity,
                "config": asdict(member),
            }
            for member in prediction.finished
        },
        "left_out": dict(prediction.skipped),
        "versions": installed_versions(RECORDED_PACKAGES),
    }


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
