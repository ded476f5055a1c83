"""Captioners: batches of ours against one image at a time with transformers' ``generate``.

    python benchmarks/captioners.py                  # BLIP-base and GIT-base on the CPU
    python benchmarks/captioners.py --device cuda    # the large ones, as a run would use them

Both sides have the same random weights and the same search, and must say the same. Random weights
never end a caption, so every caption has full length: the most that decoding can cost. The split
of the time counts decoding and resizing of 512 px PNG files too, which workers do beside the model
in a real run. With ``--threads 1`` on a CPU the clock is the process's own time, so that whatever
else runs on the machine matters little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image

import prompt_ensemble
from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, HALF, Preprocessing
from prompt_ensemble.members.captioners import blip, coca, git
from prompt_ensemble.members.captioners import ofa as ofa
from prompt_ensemble.models.device import Placement, choose_placement
from prompt_ensemble.models.sentence_encoder import DEFAULT_ENCODER
from prompt_ensemble.models.text_generation.decoding import Decoding
from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
from prompt_ensemble.models.transformers_folders import load_tokenizer, reader
from prompt_ensemble.models.weights import WeightRoots

HIDDEN_TEST = 16_000
"""Images of the competition's hidden test."""
SEED_KERNEL = Generation(num_beams=8, min_length=5, max_length=32)
"""How the public kernel captions with BLIP."""


@dataclass
class Contender:
    """A captioner of random weights, and the way of ``generate`` with the same network."""

    name: str
    captioner: SearchingCaptioner
    one_by_one: Callable[[torch.Tensor], list[int]] | None = None


@dataclass
class Watch:
    """Seconds by stage."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        """Seconds, once the device has done all it was asked to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        alone = self.device.type == "cpu" and torch.get_num_threads() == 1
        return time.process_time() if alone else time.perf_counter()

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        started = self.now()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self.now() - started


class WatchedDecoding:
    """A decoding whose steps are timed: the first is the prefill."""

    def __init__(self, decoding: Decoding, watch: Watch) -> None:
        self.decoding = decoding
        self.watch = watch
        self.stage = "prefill"

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """One step, on the watch."""
        with self.watch.on(self.stage):
            logits = self.decoding.step(tokens)
        self.stage = "decode"
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Reordering is part of decoding."""
        with self.watch.on("decode"):
            self.decoding.reorder(rows)


def blip_model(size: str) -> Any:
    """BLIP with the published sizes and random numbers."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    vision = {"image_size": 384}
    if size == "large":
        vision |= {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
        vision |= {"num_attention_heads": 16}
    text = {"num_attention_heads": 12, "initializer_range": 0.05}
    vision["initializer_range"] = 0.02
    return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))


def blip_contender(size: str, device: torch.device, generation: Generation) -> Contender:
    """BLIP with its own search."""
    model = blip_model(size).eval().to(device)
    captioner = SearchingCaptioner(
        Preprocessing(384, 384, CLIP_MEAN, CLIP_STD),
        lambda pixels: blip.begin(model, pixels),
        prompt=[30522],
        end=102,
        read=bert_words(),
        generation=generation,
        longest=512,
    )
    return Contender(f"BLIP-{size}", captioner, generate_with(model, generation))


def git_model(size: str) -> Any:
    """GIT with the published sizes and random numbers."""
    from transformers import GitConfig, GitForCausalLM

    vision = {"image_size": 224, "patch_size": 16}
    if size == "large":
        vision |= {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
        vision |= {"num_attention_heads": 16, "patch_size": 14}
    return GitForCausalLM(GitConfig(vision_config=vision, initializer_range=0.1))


def git_contender(size: str, device: torch.device, generation: Generation) -> Contender:
    """GIT with its own search."""
    model = git_model(size).eval().to(device)
    captioner = SearchingCaptioner(
        Preprocessing(224, 224, CLIP_MEAN, CLIP_STD, resize_shortest=224),
        lambda pixels: git.begin(model, pixels),
        prompt=[101],
        end=102,
        read=bert_words(),
        generation=generation,
        longest=1024,
    )
    return Contender(f"GIT-{size}", captioner, generate_with(model, generation))


def coca_contender(device: torch.device, generation: Generation) -> Contender:
    """CoCa ViT-L/14."""
    from open_clip import CoCa, get_model_config
    from open_clip.tokenizer import SimpleTokenizer

    config = get_model_config("coca_ViT-L-14")
    config.pop("custom_text")
    model = CoCa(**config).eval().to(device)
    torch.nn.init.normal_(model.text_decoder.text_projection, std=0.1)
    captioner = SearchingCaptioner(
        Preprocessing(224, 224, CLIP_MEAN, CLIP_STD, resize_shortest=224),
        lambda pixels: coca.begin(model, pixels),
        prompt=[coca.START],
        end=coca.END,
        read=partial(coca.read, SimpleTokenizer()),
        generation=generation,
        longest=76,
    )
    return Contender("CoCa-L", captioner)


def ofa_contender(device: torch.device, generation: Generation) -> Contender:
    """OFA-large, as on its model card but for the kernel's n-grams."""
    from prompt_ensemble.models.ofa.config import SIZES
    from prompt_ensemble.models.ofa.model import Ofa

    model = Ofa(SIZES["large"]).eval()
    model.encoder.embed_images.fold()
    question = [0, 99, 473, 5, 2274, 6190, 116, 2]
    captioner = SearchingCaptioner(
        Preprocessing(480, 480, HALF, HALF),
        lambda pixels: ofa.begin(model.to(device), question, generation, pixels),
        prompt=[0],
        end=2,
        read=numbers,
        generation=generation,
        longest=1024,
        end_is_free=True,
    )
    return Contender("OFA-large", captioner)


def bert_words() -> Callable[[list[int]], str]:
    """Tokens to text with BERT's vocabulary, which BLIP and GIT share."""
    return reader(load_tokenizer(WeightRoots.usual().find(DEFAULT_ENCODER).path))


def numbers(tokens: list[int]) -> str:
    """Stands in for OFA's vocabulary, which no package carries."""
    return " ".join(map(str, tokens))


def generate_with(model: torch.nn.Module, generation: Generation) -> Callable[..., list[int]]:
    """The way of the public kernels: one image, ``generate`` of transformers."""

    def caption(pixels: torch.Tensor) -> list[int]:
        tokens = model.generate(
            pixel_values=pixels[None],
            num_beams=generation.num_beams,
            max_length=generation.max_length,
            min_length=generation.min_length,
            length_penalty=generation.length_penalty,
            do_sample=False,
        )
        return tokens[0, 1:].tolist()

    return caption


def png_files(count: int) -> list[bytes]:
    """Pictures of the competition's size, smooth enough to compress like real ones."""
    random = np.random.default_rng(0)
    files = []
    for _ in range(count):
        small = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((512, 512), Image.Resampling.BICUBIC)
        file = BytesIO()
        picture.save(file, "png")
        files.append(file.getvalue())
    return files


def prepare(captioner: SearchingCaptioner, files: Sequence[bytes], watch: Watch) -> torch.Tensor:
    """Files to the network's bytes, on this thread."""
    pictures = []
    with watch.on("image files"):
        for file in files:
            pictures.append(captioner.prepare(Image.open(BytesIO(file)).convert("RGB")))
    return torch.stack(pictures)


def run(
    contender: Contender, pixels: torch.Tensor, batch: int, placement: Placement, watch: Watch
) -> list[str]:
    """Captions of all images, ``batch`` at a time, every stage on the watch."""
    captioner = contender.captioner
    texts = []
    for start in range(0, len(pixels), batch):
        part = pixels[start : start + batch]
        with torch.inference_mode(), placement.autocast():
            with watch.on("vision"):
                part = part.to(placement.device)
                decoding = captioner.begin(captioner.preprocessing.normalise(part))
            steps = sum(watch.seconds.get(stage, 0.0) for stage in ("prefill", "decode"))
            with watch.on("search"):
                found = captioner.search(WatchedDecoding(decoding, watch), part)
            steps -= sum(watch.seconds.get(stage, 0.0) for stage in ("prefill", "decode"))
            watch.seconds["search"] += steps
        with watch.on("words"):
            texts += [captioner.read(captions[0].tokens) for captions in found]
    return texts


def run_one_by_one(contender: Contender, pixels: torch.Tensor, placement: Placement) -> list[str]:
    """The same with ``generate``."""
    captioner, caption = contender.captioner, contender.one_by_one
    assert caption is not None
    texts = []
    for image in pixels:
        with torch.inference_mode(), placement.autocast():
            ready = captioner.preprocessing.normalise(image.to(placement.device))
            texts.append(captioner.read(caption(ready)))
    return texts


def peak_memory(placement: Placement) -> str:
    """GiB on the device since the last reset."""
    if not placement.on_gpu:
        return "–"
    return f"{torch.cuda.max_memory_allocated(placement.device) / 2**30:.1f}"


def measure(
    contender: Contender, batches: Sequence[int], images: int, placement: Placement
) -> None:
    """Rows of the table, and whether both ways say the same."""
    files = png_files(images)
    watch = Watch(placement.device)
    pixels = prepare(contender.captioner, files, watch)
    in_files = watch.seconds["image files"] / images
    run(contender, pixels[:1], 1, placement, Watch(placement.device))  # warm up
    expected = None
    if contender.one_by_one:
        some = pixels[: min(8, images)]
        run_one_by_one(contender, some[:1], placement)
        reset_peak(placement)
        started = watch.now()
        expected = run_one_by_one(contender, some, placement)
        speed = len(some) / (watch.now() - started)
        print(row(contender.name, "generate, 1", speed, peak_memory(placement), ""))
    for batch in batches:
        part = pixels[: max(batch, min(8, images))]
        stages = Watch(placement.device)
        reset_peak(placement)
        started = stages.now()
        ours = run(contender, part, batch, placement, stages)
        speed = len(part) / (stages.now() - started)
        per_image = {"image files": in_files}
        per_image |= {stage: spent / len(part) for stage, spent in stages.seconds.items()}
        split = ", ".join(f"{stage} {1000 * s:.1f}" for stage, s in per_image.items())
        same = agreement(ours, expected) if expected else ""
        print(row(contender.name, f"ours, {batch}", speed, peak_memory(placement), split + same))


def agreement(captions: list[str], expected: list[str]) -> str:
    """How many captions are those of ``generate``, word for word."""
    equal = sum(ours == theirs for ours, theirs in zip(captions, expected, strict=False))
    return f"; {equal} of {len(expected)} captions the same"


def reset_peak(placement: Placement) -> None:
    """Measure memory from here."""
    if placement.on_gpu:
        torch.cuda.reset_peak_memory_stats(placement.device)


def row(name: str, way: str, speed: float, memory: str, split: str) -> str:
    """One line of the table."""
    return f"| {name} | {way} | {speed:.2f} | {HIDDEN_TEST / speed / 60:.1f} | {memory} | {split} |"


def contenders(placement: Placement, names: Sequence[str]) -> dict[str, Callable[[], Contender]]:
    """Networks to be measured, made one after another."""
    device = placement.device
    git_way, coca_way = git.GitPredictor.published, coca.CocaPredictor.published
    kernel = replace(ofa.PUBLISHED["generate"], no_repeat_ngram_size=2)
    known = {
        "blip-base": lambda: blip_contender("base", device, blip.BlipPredictor.published),
        "git-base": lambda: git_contender("base", device, git_way),
        "blip-large": lambda: blip_contender("large", device, SEED_KERNEL),
        "git-large": lambda: git_contender("large", device, git_way),
        "coca-large": lambda: coca_contender(device, coca_way),
        "ofa-large": lambda: ofa_contender(device, kernel),
    }
    return {name: known[name] for name in names}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", nargs="+", help="blip-base git-base blip-large …")
    parser.add_argument("--batches", nargs="+", type=int, help="images at once")
    parser.add_argument("--images", type=int, help="images altogether")
    parser.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args()
    placement = choose_placement(arguments.device)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    large = ["ofa-large", "blip-large", "git-large", "coca-large"]
    names = arguments.models or (large if placement.on_gpu else ["blip-base", "git-base"])
    batches = arguments.batches or ([1, 24, 64, 128] if placement.on_gpu else [1, 8, 32])
    images = arguments.images or max(batches)
    print(
        f"prompt_ensemble {prompt_ensemble.__version__}, torch {torch.__version__}, {placement}, "
        f"{torch.get_num_threads()} CPU threads, random weights\n"
    )
    print("| model | way, batch | images/s | min for 16,000 | peak GiB | ms per image |")
    print("|---|---|---|---|---|---|")
    for make in contenders(placement, names).values():
        torch.manual_seed(0)
        measure(make(), batches, images, placement)


if __name__ == "__main__":
    main()
