"""A small CLIP of random weights, ours and clip-interrogator's at once, over the same lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.interrogator.interrogator_predictor import (
    InterrogatorOptions,
    InterrogatorPredictor,
)
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.weights import WeightRoots

CPU = Placement(torch.device("cpu"), torch.float32)
NAME = "ViT-B-32"
"""open_clip has no smaller one with a published name; its tables are cut to a tiny one here."""
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
LISTS = ("artists", "flavors", "mediums", "movements", "negative")


def tiny_model():
    """A model whose texts differ enough from each other to be ranked."""
    from open_clip import CLIP

    torch.manual_seed(0)
    model = CLIP(**CONFIG).eval()
    with torch.no_grad():
        model.token_embedding.weight.normal_(std=0.5)
    return model


def save_tiny(folder: Path):
    """The model as a folder that our towers read; the model itself."""
    import json

    from safetensors.torch import save_file

    folder.mkdir()
    model = tiny_model()
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {"interpolation": "bicubic"}})
    )
    return model


def theirs(model, data: Path, cache: Path | None = None, **settings):
    """clip-interrogator with ready models; captions are given, so it never loads a captioner."""
    from clip_interrogator import Config, Interrogator
    from open_clip.transform import image_transform

    size = model.visual.image_size
    config = Config(
        caption_model_name=None,
        clip_model_name=f"{NAME}/none",
        cache_path=str(cache) if cache else None,
        download_cache=False,
        data_path=str(data),
        device="cpu",
        quiet=True,
        **settings,
    )
    config.clip_model = model
    config.clip_preprocess = image_transform(size, is_train=False)
    return Interrogator(config)


def ours(folder: Path, captions: Outputs | None, data: Path | None = None, **options):
    """Our interrogator of the same files, on the CPU."""
    files = {name: str(data / f"{name}.txt") for name in LISTS} if data else {}
    own = {"lists": files} | options
    if captions:
        own["captions_from"] = "captioner"
    predictor = InterrogatorPredictor(str(folder), InterrogatorOptions(**own), WeightRoots(()))
    return Captioned(predictor.open(CPU), {"captioner": captions} if captions else {})


class Captioned:
    """An opened interrogator, and the captions that another member would bring."""

    def __init__(self, opened, needed) -> None:
        self.opened = opened
        self.needed = needed

    def __getattr__(self, name):
        return getattr(self.opened, name)

    def run(self, batch: Batch) -> Outputs:
        own = {name: outputs.take(batch.image_ids) for name, outputs in self.needed.items()}
        return self.opened.run(Batch(batch.image_ids, batch.views, own))


def pictures(count: int) -> dict[str, Image.Image]:
    random = np.random.default_rng(1)
    sizes = [(40, 64), (64, 40), (32, 32), (90, 50)]
    return {
        f"picture{number}": Image.fromarray(
            random.integers(0, 256, (*sizes[number % 4], 3), dtype=np.uint8)
        )
        for number in range(count)
    }


def captioned(names) -> Outputs:
    texts = ["a painting of a cat", "a lighthouse at night, stormy", "oil sketch of two men"]
    lines = [[Line("caption", texts[at % 3], 0.0)] for at, _ in enumerate(names)]
    return Outputs.of_lines(tuple(names), lines)


def look(opened, images) -> Outputs:
    with torch.inference_mode():
        views = torch.stack([opened.prepare(image)[0] for image in images.values()])
        return opened.run(Batch(tuple(images), (views,)))


def prompts(outputs: Outputs) -> list[str]:
    return [row[0].text for row in outputs.lines]
