"""Interrogation: ours against the installed clip-interrogator 0.6.0.

    python benchmarks/interrogator.py                 # ranking, classic, fast, best and start
    python benchmarks/interrogator.py --only ranking

Both sides have the same ViT-B-32 of random weights, the same lists, and the same phrase vectors,
random ones in clip-interrogator's own cache files (what they are matters neither to time nor to
parity, and embedding 113,000 phrases twice would take longer than all the rest). Captions are
given. Theirs goes one image at a time, as it does; both must give the same prompts.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

import prompt_ensemble  # noqa: F401
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.data.phrase_lists import package_folder
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.interrogator.interrogator_predictor import (
    InterrogatorOptions,
    InterrogatorPredictor,
)
from prompt_ensemble.members.interrogator.vocabulary import LISTS, labels_of
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots

NAME = "ViT-B-32"
WIDTH = 512


def write_weights(folder: Path) -> None:
    """The model's random weights, and random vectors of all phrases as a cache."""
    from open_clip import CLIP, get_model_config

    torch.manual_seed(0)
    model = CLIP(**get_model_config(NAME))
    with torch.no_grad():
        model.token_embedding.weight.normal_(std=0.5)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_tensors(tensors, folder / "open_clip_model.safetensors")
    random = np.random.default_rng(0)
    for name in LISTS:
        labels = labels_of(name, "")
        rows = random.standard_normal((len(labels), WIDTH), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        digest = hashlib.sha256(",".join(labels).encode()).hexdigest()
        arrays = {"embeds": rows.astype(np.float16), "hash": np.frombuffer(digest.encode(), "i1")}
        save_file(arrays, folder / f"{NAME}_{name}.safetensors")


def theirs(folder: Path, **settings: Any) -> Any:
    """clip-interrogator with warm caches."""
    from clip_interrogator import Config, Interrogator
    from open_clip import CLIP, get_model_config
    from open_clip.transform import image_transform
    from safetensors.torch import load_file

    model = CLIP(**get_model_config(NAME)).eval()
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    cache = folder / "theirs"
    cache.mkdir(exist_ok=True)
    for path in folder.glob(f"{NAME}_*.safetensors"):
        link = cache / path.name.replace(NAME, f"{NAME}_none", 1)
        link.exists() or link.symlink_to(path)
    config = Config(
        caption_model_name=None, clip_model_name=f"{NAME}/none", cache_path=str(cache),
        download_cache=False, data_path=str(package_folder()), device="cpu", quiet=True, **settings,
    )  # fmt: skip
    config.clip_model = model
    config.clip_preprocess = image_transform(224, is_train=False)
    return Interrogator(config)


def ours(folder: Path, **options: Any) -> Any:
    """Our member, opened."""
    chosen = InterrogatorOptions(
        captions_from="captions", architecture=NAME, published=str(folder), **options
    )
    predictor = InterrogatorPredictor(str(folder), chosen, WeightRoots(()))
    return predictor.open(choose_placement("cpu"))


def pictures(count: int) -> list[Image.Image]:
    """Pictures of Stable Diffusion's size."""
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return [Image.fromarray(one).resize((512, 512), Image.Resampling.BICUBIC) for one in small]


def captions_of(count: int) -> Outputs:
    """A caption for each picture."""
    texts = [f"a painting of number {number} on a wall" for number in range(count)]
    lines = [[Line("caption", text, 0.0)] for text in texts]
    return Outputs.of_lines([str(number) for number in range(count)], lines)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result; on one thread the process's own, so that neighbours matter little."""
    now = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = now()
    result = work()
    return now() - started, result


def look(opened: Any, images: list[Image.Image], captions: Outputs) -> list[str]:
    """Prompts of a batch, pictures prepared one by one as a single worker would."""
    with torch.inference_mode():
        views = torch.stack([opened.prepare(image)[0] for image in images])
        image_ids = tuple(map(str, range(len(images))))
        needed = {"captions": captions.take(image_ids)}
        found = opened.run(Batch(image_ids, (views,), needed))
    return [row[0].text for row in found.lines]


def row(what: str, their_seconds: float, our_seconds: float, same: str) -> None:
    """A line of the table."""
    ratio = their_seconds / our_seconds
    print(
        f"| {what} | {their_seconds:.2f} | {our_seconds:.3f} | {ratio:.1f}x | {same} |", flush=True
    )


def ranking(folder: Path, count: int = 64) -> None:
    """Top 5 of all flavors."""
    reference, opened = theirs(folder), ours(folder)
    table = opened.whole.tables["flavors"]
    images = torch.nn.functional.normalize(torch.randn(count, WIDTH), dim=-1)
    table.top(images, 5)
    our_seconds, found = timed(lambda: table.top(images, 5))
    their_seconds, expected = timed(lambda: [reference.flavors.rank(i[None], 5) for i in images])
    same = sum(
        [one.text for one in row] == other for row, other in zip(found, expected, strict=True)
    )
    row(f"ranking {count} images, 100,970 flavors", their_seconds, our_seconds, f"{same}/{count}")


def mode(folder: Path, name: str, count: int) -> None:
    """Pictures to prompts."""
    images, captions = pictures(count), captions_of(count)
    reference, opened = theirs(folder), ours(folder, mode=name)
    ask = getattr(reference, f"interrogate_{name}")
    look(opened, images[:2], captions)
    our_seconds, found = timed(lambda: look(opened, images, captions))
    texts = [lines[0].text for lines in captions.lines]
    pairs = list(zip(images, texts, strict=True))
    their_seconds, expected = timed(lambda: [ask(i, caption=c) for i, c in pairs])
    same = sum(one == other for one, other in zip(found, expected, strict=True))
    row(f"{name}, {count} images", their_seconds, our_seconds, f"{same}/{count}")


def best(folder: Path, count: int, candidates: int, flavors: int) -> None:
    """The greedy chain."""
    images, captions = pictures(count), captions_of(count)
    reference = theirs(folder, flavor_intermediate_count=candidates)
    settings = {"mode": "best", "candidates": candidates, "flavors": flavors, "least": 1}
    opened = ours(folder, **settings)
    our_seconds, found = timed(lambda: look(opened, images, captions))
    texts = [lines[0].text for lines in captions.lines]
    ask = reference.interrogate
    limits = {"min_flavors": 1, "max_flavors": flavors}
    pairs = list(zip(images, texts, strict=True))
    their_seconds, expected = timed(lambda: [ask(i, caption=c, **limits) for i, c in pairs])
    same = sum(one == other for one, other in zip(found, expected, strict=True))
    what = f"best, {count} images, {candidates} candidates, {flavors} flavors"
    row(what, their_seconds, our_seconds, f"{same}/{count}")


def first_answer(folder: Path, side: str) -> None:
    """What a fresh process does until its first prompt."""
    image, captions = pictures(1), captions_of(1)
    if side == "ours":
        look(ours(folder), image, captions)
    else:
        theirs(folder).interrogate_fast(image[0], caption=captions.lines[0][0].text)


def start(folder: Path) -> None:
    """A second process, the caches warm: from its start to the first prompt of ``fast``."""
    program = [sys.executable, __file__, "--folder", str(folder), "--first"]
    seconds = {}
    for side in ("theirs", "ours"):
        started = time.perf_counter()
        subprocess.run([*program, side], check=True)
        seconds[side] = time.perf_counter() - started
    row("start to first fast prompt", seconds["theirs"], seconds["ours"], "")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["ranking", "classic", "fast", "best", "start"])
    parser.add_argument("--candidates", type=int, default=32)
    parser.add_argument("--flavors", type=int, default=3)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=32, help="of classic and fast")
    parser.add_argument("--best-images", type=int, default=8)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.first:
        with redirect_stdout(sys.stderr):
            return first_answer(chosen.folder, chosen.first)
    stages = {
        "ranking": ranking,
        "classic": lambda folder: mode(folder, "classic", chosen.images),
        "fast": lambda folder: mode(folder, "fast", chosen.images),
        "best": lambda folder: best(folder, chosen.best_images, chosen.candidates, chosen.flavors),
        "start": start,
    }
    with tempfile.TemporaryDirectory() as temporary:
        write_weights(Path(temporary))
        print("| what | clip-interrogator, s | ours, s | ratio | same |\n|---|---|---|---|---|")
        for name, stage in stages.items():
            if chosen.only in (None, name):
                stage(Path(temporary))


if __name__ == "__main__":
    main()
