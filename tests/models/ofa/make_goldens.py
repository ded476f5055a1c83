"""Cuts the reference fixtures down to ``goldens.json`` and ``goldens.npz`` beside this file.

python tests/captioners/ofa/make_goldens.py ../shared/ofa/fixtures

They hold numbers recorded from the authors' own code on weights that follow from their names
(rule_weights.py): all forward cases, sampled, and some of the searches.
"""

import json
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

from prompt_ensemble.models.ofa.config import OfaConfig

ENCODER_STRIDE, LOGITS_STRIDE = 8, 3
SEARCH_STRIDE, CAPTION_STRIDE = 5, 6
HERE = Path(__file__).parent
INPUTS = ("input_ids", "decoder_input_ids", "decoder_attention_mask", "code_masks")


def settings(config):
    return {field.name: config[field.name] for field in fields(OfaConfig)}


def read_case(path, base):
    """A forward case without its weights and pictures, and its sampled outputs."""
    recorded, arrays = json.loads(path.read_text()), np.load(path.with_suffix(".npz"))
    images = arrays["patch_images"].shape if "patch_images" in arrays.files else None
    case = {name: arrays[name].tolist() for name in INPUTS if name in arrays.files}
    case["images"] = images
    case["c_attn_all_ones"] = recorded["c_attn_all_ones"]
    case["differs"] = {
        name: value
        for name, value in settings(recorded["config"]).items()
        if value != base.get(name)
    }
    outputs = {"encoder": arrays["out_enc_out"][..., ::ENCODER_STRIDE]}
    if not recorded["encoder_only"]:
        outputs["logits"] = arrays["out_logits"][..., ::LOGITS_STRIDE]
    return case, outputs


def every(entries, stride):
    """Some entries of each kind."""
    kinds = {}
    for entry in entries:
        kinds.setdefault((entry["generator"], entry["kind"]), []).append(entry)
    return [entry for kind in kinds.values() for entry in kind[::stride]]


def main(fixtures):
    base = settings(json.loads((fixtures / "micro/m00_default.json").read_text())["config"])
    cases, arrays = {}, {}
    for path in sorted((fixtures / "micro").glob("m*.json")):
        cases[path.stem], outputs = read_case(path, base)
        arrays |= {f"{path.stem}.{name}": array for name, array in outputs.items()}
    searches = json.loads((fixtures / "gen/table_search.json").read_text())
    captions = json.loads((fixtures / "gen/micro_generate.json").read_text())
    goldens = {
        "config": base,
        "cases": cases,
        "searches": every(searches, SEARCH_STRIDE),
        "captions": every(captions, CAPTION_STRIDE),
    }
    (HERE / "goldens.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")
    np.savez_compressed(HERE / "goldens.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
