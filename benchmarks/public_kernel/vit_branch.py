"""A timm network with 384 outputs, two passes over a loader of two workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor
from torchvision.transforms.functional import hflip

from prompt_ensemble.images.preprocessing import IMAGENET_MEAN, IMAGENET_STD

BATCH = 64
WORKERS = 2


class Pictures(Dataset[torch.Tensor]):
    """Files as the network wants them, mirrored in the second pass."""

    def __init__(self, files: Sequence[Path], side: int, mirrored: bool) -> None:
        self.files = files
        self.mirrored = mirrored
        resize = Resize((side, side), InterpolationMode.BILINEAR)
        self.look = Compose([resize, ToTensor(), Normalize(IMAGENET_MEAN, IMAGENET_STD)])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> torch.Tensor:
        picture = Image.open(self.files[number]).convert("RGB")
        return self.look(hflip(picture) if self.mirrored else picture)


@torch.inference_mode()
def vit_rows(file: Path, architecture: str, files: Sequence[Path], device: str) -> np.ndarray:
    """Both passes averaged, each row divided by its largest number, then by its length."""
    model = timm.create_model(architecture, pretrained=False, num_classes=384)
    model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    model = model.to(device).eval()
    side = model.pretrained_cfg["input_size"][-1]
    passes = []
    for mirrored in (False, True):
        pictures = Pictures(files, side, mirrored)
        loader = DataLoader(pictures, batch_size=BATCH, num_workers=WORKERS)
        passes.append(torch.cat([model(batch.to(device)).cpu() for batch in loader]))
    rows = torch.stack(passes).mean(dim=0).numpy()
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
