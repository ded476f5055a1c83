"""The whole ensemble: ours against the public kernel's way of working, same weights, same images.

    python benchmarks/ensemble.py                              # sizes that a CPU can bear
    python benchmarks/ensemble.py --real-sizes --device cuda --images 512

Random weights at the architectures' sizes (CPU: OFA-base, BLIP-base, CLIP ViT-B-32, ViT-B/16); on
both sides every phrase list is whole, its vectors lie ready in clip-interrogator's own cache files,
and loading each model counts. The baseline is ``benchmarks/public_kernel``. Random weights never
end a caption, so each has full length, and random vectors stand for phrases. Both sides must say
the same and give the same rows. On a CPU trust processor seconds, start of Python included: with
``--threads 1`` whatever else runs on the machine matters little to them, and much to the clock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import prompt_ensemble
from prompt_ensemble.core.embeddings import Embeddings, unit_rows
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.models.sentence_encoder import DEFAULT_ENCODER
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import RunConfig, load_preset

HIDDEN_TEST = 16_000


@dataclass(frozen=True)
class Sizes:
    """Architectures of the four models."""

    ofa: str
    blip: str
    clip: str
    vit: str


CPU = Sizes("base", "base", "ViT-B-32", "vit_base_patch16_224")
REAL = Sizes("large", "large", "ViT-H-14", "vit_base_patch16_224")


def write_images(folder: Path, count: int) -> None:
    """512 px PNG files, smooth enough to compress like real ones."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        small = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((512, 512), Image.Resampling.BICUBIC)
        picture.save(folder / f"image{number:04}.png")


def write_ofa(folder: Path, size: str) -> None:
    """As the authors publish it, with a vocabulary that only has numbers for words."""
    from tokenizers.pre_tokenizers import ByteLevel

    from prompt_ensemble.models.ofa.config import SIZES
    from prompt_ensemble.models.ofa.model import Ofa
    from prompt_ensemble.models.ofa.tokenizer import ADDED

    folder.mkdir()
    torch.manual_seed(0)
    config = SIZES[size]
    model = Ofa(config)
    torch.nn.init.normal_(model.encoder.embed_tokens.weight, std=config.d_model**-0.5)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    known = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    missing = config.vocab_size - len(ADDED) - len(known) - 1
    words = [*known, *(f"w{number}" for number in range(missing)), "<mask>"]
    (folder / "config.json").write_text(json.dumps(asdict(config) | {"model_type": "ofa"}))
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def blip(size: str) -> Any:
    """BLIP with the published sizes; the same every time."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    vision: dict[str, Any] = {"image_size": 384, "initializer_range": 0.02}
    if size == "large":
        vision |= {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
        vision |= {"num_attention_heads": 16}
    text = {"num_attention_heads": 12, "initializer_range": 0.05}
    torch.manual_seed(1)
    return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)).eval()


def write_blip(folder: Path, size: str) -> None:
    """A transformers folder with MiniLM's words, which are BERT's."""
    import shutil

    blip(size).save_pretrained(folder)
    words = WeightRoots.usual().find(DEFAULT_ENCODER).path
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(words / name, folder / name)
    from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD

    recipe = {"size": {"height": 384, "width": 384}, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(recipe | {"resample": 3}))


def write_clip(folder: Path, name: str) -> None:
    """A checkpoint, and vectors of every list in clip-interrogator's cache files."""
    from open_clip import CLIP, get_model_config
    from safetensors.torch import save_file

    from prompt_ensemble.members.interrogator.vocabulary import LISTS, labels_of

    folder.mkdir()
    config = get_model_config(name)
    torch.manual_seed(2)
    save_file(CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    generator = torch.Generator().manual_seed(3)
    for phrases in LISTS:
        labels = labels_of(phrases, "")
        digest = hashlib.sha256(",".join(labels).encode()).hexdigest()
        rows = torch.randn(len(labels), config["embed_dim"], generator=generator)
        rows = torch.nn.functional.normalize(rows, dim=1).half()
        parts = {
            "embeds": rows,
            "hash": torch.frombuffer(bytearray(digest.encode()), dtype=torch.uint8),
        }
        save_file(parts, folder / f"{name}_none_{phrases}.safetensors")


def write_vit(file: Path, name: str) -> None:
    """A plain state dict."""
    import timm

    torch.manual_seed(4)
    torch.save(timm.create_model(name, num_classes=384).state_dict(), file)


def write_models(folder: Path, sizes: Sizes) -> None:
    """All four."""
    write_ofa(folder / "OFA-large-caption", sizes.ofa)
    write_blip(folder / "blip", sizes.blip)
    write_clip(folder / "clip", sizes.clip)
    write_vit(folder / "vit_base_patch16_224.pth", sizes.vit)


def config_of(folder: Path, sizes: Sizes) -> RunConfig:
    """The preset, over these models."""
    clip = {"architecture": f"{sizes.clip}/none", "published": str(folder / "clip")}
    checkpoint = folder / "clip" / "open_clip_model.safetensors"
    changes = {
        "blip": {"weights": str(folder / "blip"), "options": {"prompt": "a picture of "}},
        "interrogator": {"weights": str(checkpoint), "options": clip},
        "vit": {"options": {"architecture": sizes.vit}},
    }
    members = []
    for member in load_preset("public-kernel").members:
        change: dict[str, Any] = changes.get(member.name, {})
        options = {**member.options, **change.get("options", {})}
        members.append(
            replace(member, weights=change.get("weights", member.weights), options=options)
        )
    return replace(load_preset("public-kernel"), members=tuple(members))


def theirs(folder: Path, sizes: Sizes, device: str) -> dict[str, Any]:
    """The baseline in this process."""
    from public_kernel.kernel import Models, run_kernel

    from prompt_ensemble.models.transformers_folders import load_tokenizer

    words = WeightRoots.usual().find(DEFAULT_ENCODER).path
    models = Models(
        ofa=folder / "OFA-large-caption",
        load_blip=lambda: (load_blip(folder), load_tokenizer(folder / "blip")),
        load_interrogator=lambda: interrogator(folder / "clip", sizes.clip, device),
        vit=folder / "vit_base_patch16_224.pth",
        architecture=sizes.vit,
        encoder=words,
    )
    files = sorted((folder / "images").iterdir())
    started = time.perf_counter()
    done = run_kernel(models, files, device, folder / "theirs.csv")
    seconds = time.perf_counter() - started
    ids = [file.stem for file in files]
    for name, rows in done.rows.items():
        Embeddings.of(ids, rows).save(folder / "theirs" / f"{name}.safetensors")
    return {"seconds": seconds, "stages": done.seconds, "captions": done.captions}


def load_blip(folder: Path) -> Any:
    """From its folder, as clip-interrogator does."""
    from transformers import BlipForConditionalGeneration

    return BlipForConditionalGeneration.from_pretrained(folder / "blip")


def interrogator(folder: Path, name: str, device: str) -> Any:
    """clip-interrogator with warm caches."""
    from clip_interrogator import Config, Interrogator
    from open_clip import CLIP, get_model_config
    from open_clip.transform import image_transform
    from safetensors.torch import load_file

    from prompt_ensemble.data.phrase_lists import package_folder

    model = CLIP(**get_model_config(name)).eval().to(device)
    model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
    config = Config(
        caption_model_name=None, clip_model_name=f"{name}/none", cache_path=str(folder),
        download_cache=False, data_path=str(package_folder()), device=device, quiet=True,
    )  # fmt: skip
    config.clip_model = model
    config.clip_preprocess = image_transform(224, is_train=False)
    return Interrogator(config)


def ours(folder: Path, sizes: Sizes, device: str) -> dict[str, Any]:
    """The product's own run, with its files."""
    from prompt_ensemble.run.ensemble import STORE_FOLDER, predict
    from prompt_ensemble.run.store import Store

    started = time.perf_counter()
    prediction = predict(
        folder / "images", folder / "ours", config=config_of(folder, sizes), weights=[folder],
        device=device,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    store = Store(folder / "ours" / STORE_FOLDER)
    stages = {
        name: store.notes(name)["load_seconds"] + float(result.seconds.sum())
        for name, result in prediction.members.items()
    }
    captions = {
        name: [row[0].text for row in result.outputs.lines]
        for name, result in prediction.members.items()
        if name != "vit"
    }
    return {"seconds": seconds, "stages": stages, "captions": captions}


def in_fresh_process(side: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """One side alone, its result as JSON on the last line."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    command += ["--device", arguments.device, "--threads", str(arguments.threads)]
    command += ["--real-sizes"] if arguments.real_sizes else []
    before = processor_seconds()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    spent = processor_seconds() - before
    return json.loads(done.stdout.splitlines()[-1]) | {"processor": spent}


def processor_seconds() -> float:
    """Of all processes begun here that have ended, with those that they began."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(folder: Path, them: dict[str, Any], us: dict[str, Any], images: int) -> None:
    """The tables."""
    suffix = ", fine details, masterpiece"
    our_captions = us["captions"] | {"ofa": [text + suffix for text in us["captions"]["ofa"]]}
    print("| | public kernel's way | ours | ratio |\n|---|---|---|---|")
    ratio = them["seconds"] / us["seconds"]
    spent = them["processor"] / us["processor"]
    print(
        f"| processor seconds, whole process | {them['processor']:.1f} | {us['processor']:.1f} "
        f"| {spent:.1f}x |"
    )
    print(
        f"| {images} images, seconds | {them['seconds']:.1f} | {us['seconds']:.1f} | {ratio:.1f}x |"
    )
    minutes = [side["seconds"] / images * HIDDEN_TEST / 60 for side in (them, us)]
    print(f"| minutes for 16,000 at that rate | {minutes[0]:.0f} | {minutes[1]:.0f} | |")
    parts = {"ofa": "ofa", "blip": "blip", "interrogator": "phrases", "vit": "vit"}
    for name, stage in parts.items():
        old, new = them["stages"][stage], us["stages"][name]
        shares = [f"{t:.1f} ({t / side['seconds']:.0%})" for t, side in ((old, them), (new, us))]
        print(f"| {name} with loading, seconds | {shares[0]} | {shares[1]} | {old / new:.1f}x |")
    print("\n| the same | |\n|---|---|")
    for name, texts in them["captions"].items():
        same = sum(one == other for one, other in zip(texts, our_captions[name], strict=True))
        print(f"| texts of {name} | {same}/{images} |")
    for name in ("ofa", "interrogator", "vit"):
        one = Embeddings.load(folder / "theirs" / f"{name}.safetensors")
        other = Embeddings.load(folder / "ours" / "embeddings" / f"{name}.safetensors")
        print(f"| smallest cosine of {name} | {smallest_cosine(one, other):.6f} |")
    one, other = (
        read_submission(folder / "theirs.csv"),
        read_submission(folder / "ours" / "submission.csv"),
    )
    print(f"| smallest cosine of the files written | {smallest_cosine(one, other):.6f} |")


def smallest_cosine(one: Embeddings, other: Embeddings) -> float:
    """Of the rows of the same image."""
    other = other.take(one.image_ids)
    return float((unit_rows(one.vectors) * unit_rows(other.vectors)).sum(axis=1).min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--real-sizes", action="store_true")
    parser.add_argument("--side", choices=["theirs", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sizes = REAL if arguments.real_sizes else CPU
    if arguments.side:
        side = {"theirs": theirs, "ours": ours}[arguments.side]
        print(json.dumps(side(arguments.folder, sizes, arguments.device)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_images(folder / "images", arguments.images)
        write_models(folder, sizes)
        them = in_fresh_process("theirs", folder, arguments)
        us = in_fresh_process("ours", folder, arguments)
        print(f"prompt-ensemble {prompt_ensemble.__version__}, {arguments.device}, {sizes}")
        compare(folder, them, us, arguments.images)


if __name__ == "__main__":
    main()
