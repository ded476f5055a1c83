"""Inputs that people and broken disks make, each with the command that meets it.

Run as a program it says what each command prints: ``python tests/hostile_inputs.py``.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import prompt_ensemble  # noqa: F401

# isort: split
# torchvision, which transformers imports, needs the package before it.
import numpy as np
import torch
from conftest import paint_photos
from safetensors.numpy import save as save_numpy
from tiny_captioners import save_blip, save_coca, save_encoder_decoder, save_git

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings

IMAGES = 60
DEEP = "[" * 100_000 + "]" * 100_000
MEMBER = '[[members]]\nname = "one"\nmodel = "regressor"\n'
Arguments = list[str]
Case = Callable[[Path], Arguments]


class RunsCode:
    """A pickle that would run a program."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch it-ran",)


def predict(folder: Path, toml: str) -> Arguments:
    """A run over two photos with this configuration."""
    (folder / "mine.toml").write_text(toml)
    paint_photos(folder / "photos", 2)
    arguments = ["predict", str(folder / "photos"), "--out", str(folder / "out")]
    return [*arguments, "--config", str(folder / "mine.toml"), "--weights", str(folder)]


def configurations() -> Iterator[tuple[str, Case]]:
    """Configurations that are wrong."""
    texts = {
        "not utf-8": MEMBER + 'weights = "\udcff"',
        "deep": f"x = {DEEP}",
        "members is a number": "members = 3",
        "name too long": f'[[members]]\nname = "{"a" * 300}"\nmodel = "regressor"',
        "no banks": '[[members]]\nname = "one"\nmodel = "regressor"\nweights = "embedded-lite0"\n'
        '[[members]]\nname = "p"\nmodel = "phrases"\n[members.options]\n'
        'vectors_from = "one"\nbanks = []',
        "prior is a folder": f'prior = "/etc"\n{MEMBER}weights = "embedded-lite0"',
        "prior is a model": f'prior = "embedded-lite0"\n{MEMBER}weights = "embedded-lite0"',
        "weight too large": f"{MEMBER}weight = {'9' * 400}",
        "weights path too long": f'{MEMBER}weights = "/{"w" * 5000}"',
        "weights name too long": f'{MEMBER}weights = "{"w" * 5000}"',
    }

    def case(text: str) -> Case:
        def arguments(folder: Path) -> Arguments:
            made = predict(folder, "")
            (folder / "mine.toml").write_bytes(text.encode(errors="surrogateescape"))
            return made

        return arguments

    yield from ((f"configuration, {name}", case(text)) for name, text in texts.items())


def captioner_folders() -> Iterator[tuple[str, Case]]:
    """Model folders that are wrong."""
    saves = {"blip": save_blip, "git": save_git, "encoder-decoder": save_encoder_decoder}
    recipes = {
        "no pixels": {"size": {"height": 0, "width": 0}, "crop_size": {"height": 0, "width": 0}},
        "too many pixels": {
            "size": {"height": 10**6, "width": 10**6},
            "crop_size": {"height": 10**6, "width": 10**6},
        },
        "resampling 99": {"resample": 99},
    }

    def changed(kind: str, file: str, values: dict[str, object]) -> Case:
        def arguments(folder: Path) -> Arguments:
            saves[kind](folder / kind)
            change(folder / kind / file, values)
            return captioning(folder, kind)

        return arguments

    for kind in saves:
        for name, values in recipes.items():
            yield f"{kind}, {name}", changed(kind, "preprocessor_config.json", values)
        yield f"{kind}, an index of no shards", without_shards(kind, saves[kind])
    yield "blip, config is a text", changed("blip", "config.json", {"vision_config": "x"})
    yield "git, config is a text", changed("git", "config.json", {"vision_config": "x"})

    def coca(values: dict[str, object]) -> Case:
        def arguments(folder: Path) -> Arguments:
            save_coca(folder / "coca")
            file = folder / "coca" / "open_clip_config.json"
            config = json.loads(file.read_text())
            config["model_cfg"]["vision_cfg"] |= values
            file.write_text(json.dumps(config))
            return captioning(folder, "coca")

        return arguments

    timm = {"timm_model_name": "resnet18", "timm_model_pretrained": True}
    yield "coca, pretrained weights of timm", coca(timm)
    yield "coca, a pretrained cfg", coca(timm | {"timm_model_pretrained": "yes"})
    yield "coca, an unknown network of timm", coca({"timm_model_name": "no such net"})


def without_shards(kind: str, save: Callable[[Path], object]) -> Case:
    """A folder whose weights are replaced by an index that names none."""

    def arguments(folder: Path) -> Arguments:
        save(folder / kind)
        (folder / kind / "model.safetensors").unlink()
        index = folder / kind / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": {}}))
        return captioning(folder, kind)

    return arguments


def captioning(folder: Path, kind: str) -> Arguments:
    """``caption`` with the folder's model."""
    paint_photos(folder / "photos", 2)
    model = ["--model", str(folder / kind), "--out", str(folder / "captions.jsonl")]
    return ["caption", str(folder / "photos"), *model]


def change(file: Path, values: dict[str, object]) -> None:
    """Set keys of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def regressor_folders() -> Iterator[tuple[str, Case]]:
    """Regressors whose description or numbers are wrong."""
    towers: dict[str, dict[str, object]] = {
        "config that is evil": {"library": "transformers", "config": {"model_type": "evil"}},
        "sizes that are texts": {
            "library": "transformers",
            "config": {"model_type": "vit", "hidden_size": "evil"},
        },
        "pretrained": {"config": {"pretrained": True}},
        "unknown keyword": {"config": {"zzz": 1}},
        "open_clip, pretrained": {
            "library": "open_clip",
            "name": "",
            "config": {
                "embed_dim": 8,
                "vision_cfg": {"timm_model_name": "resnet18", "timm_model_pretrained": True},
            },
        },
    }
    recipes: dict[str, dict[str, object]] = {
        "no pixels": {"height": 0, "width": 0},
        "too many pixels": {"height": 10**7, "width": 10**7},
        "less than no pixels": {"height": -3, "width": -3},
        "two colours": {"std": [0.5, 0.5]},
        "an unknown interpolation": {"interpolation": "evil"},
    }
    heads: dict[str, dict[str, object]] = {
        "dropout of 5": {"kind": "mlp", "hidden": 8, "dropout": 5.0},
        "too many hidden numbers": {"kind": "large", "hidden": 10**12},
        "fewer than no anchors": {"kind": "kernel", "hidden": -5},
        "fewer than no inputs": {"inputs": -1},
    }

    def changed(part: str, values: dict[str, object]) -> Case:
        def arguments(folder: Path) -> Arguments:
            file = regressor(folder) / "regressor.json"
            card = json.loads(file.read_text())
            card[part] |= values
            file.write_text(json.dumps(card))
            return predict(folder, f'{MEMBER}weights = "mine"')

        return arguments

    for part, changes in {"tower": towers, "preprocessing": recipes, "head": heads}.items():
        for name, values in changes.items():
            yield f"regressor, {name}", changed(part, values)

    def damaged(write: Callable[[Path], object]) -> Case:
        def arguments(folder: Path) -> Arguments:
            write(regressor(folder))
            return predict(folder, f'{MEMBER}weights = "mine"')

        return arguments

    yield "regressor, deep", damaged(lambda path: (path / "regressor.json").write_text(DEEP))

    def plain(save: Callable[[Path], object]) -> Case:
        def arguments(folder: Path) -> Arguments:
            save(folder / "resnet18.pt")
            return predict(folder, f'{MEMBER}weights = "resnet18.pt"')

        return arguments

    yield "a checkpoint that runs code", plain(lambda path: torch.save({"a": RunsCode()}, path))
    yield (
        "an old checkpoint that runs code",
        plain(lambda path: path.write_bytes(pickle.dumps(RunsCode(), protocol=2))),
    )


def regressor(folder: Path) -> Path:
    """A copy of the smallest embedded regressor."""
    from prompt_ensemble.models.weights import embedded_folder

    return Path(shutil.copytree(embedded_folder() / "embedded-lite0", folder / "mine"))


def runs() -> Iterator[tuple[str, Case]]:
    """Damaged runs and tables, for tune, evaluate and embed."""
    files: dict[str, tuple[str, bytes]] = {
        "confidence that is no number": ("confidence.csv", table("abc")),
        "empty confidence": ("confidence.csv", b""),
        "ragged confidence": ("confidence.csv", table("0.5,0.6")),
        "record is a list": ("run.json", b"[1, 2]"),
        "members are a list": ("run.json", b'{"members": [1]}'),
        "a member is a text": ("run.json", b'{"members": {"one": "x", "two": "y"}}'),
    }
    for name, (file, content) in files.items():
        yield f"tune, {name}", judging("tune", file, content)
        yield f"evaluate, {name}", judging("evaluate", file, content)
    words = b'{"members": {"one": {"weight": "a", "seconds": 1}}}'
    yield "evaluate, a weight is a text", judging("evaluate", "run.json", words)
    yield "evaluate, table not utf-8", judging("evaluate", "predictions.csv", b"image_id,a\n\xff,b")
    yield "evaluate, table without ids", judging("evaluate", "predictions.csv", b"a,b\n1,2\n")
    yield "evaluate, no ids but prompts", judging("evaluate", "predictions.csv", b"a,prompt\n1,2\n")
    yield (
        "evaluate, texts of strangers",
        judging("evaluate", "predictions.csv", b"image_id,prompt\nstranger,a cat\n"),
    )
    vectors = np.eye(2, EMBEDDING_WIDTH, dtype=np.float32)
    predictions = {
        "no image": save_numpy({"vectors": vectors[:0]}, metadata={"image_ids": "[]"}),
        "ids are a number": save_numpy({"vectors": vectors}, metadata={"image_ids": "3"}),
        "ids are lists": save_numpy({"vectors": vectors}, metadata={"image_ids": "[[1], [2]]"}),
    }
    for name, content in predictions.items():
        for verb in ("tune", "evaluate"):
            yield f"{verb}, {name}", predicted(verb, content)
    large = b"imgId,prompt\na," + b"x" * (20 * 2**20) + b"\n"
    yield "tune, a truth with a huge cell", truth(["tune"], large)
    yield "evaluate, a truth with a huge cell", truth(["evaluate"], large)
    yield "embed, a table with a huge cell", lambda folder: embedding(folder, large)
    yield "tune, out is a folder", into_a_folder
    yield "tune, trained on what is not there", trained_on_nothing


def table(cell: str) -> bytes:
    """A table of confidences in which every cell is this."""
    rows = "".join(f"i{number:02},{cell}\n" for number in range(IMAGES))
    return f"image_id,one\n{rows}".encode()


def a_run(folder: Path) -> Path:
    """A finished run of two members, and the truth beside it."""
    random = np.random.default_rng(0)
    ids = [f"i{number:02}" for number in range(IMAGES)]
    rows = random.normal(size=(IMAGES, EMBEDDING_WIDTH))
    for name in ("one", "two"):
        noise = random.normal(size=rows.shape)
        Embeddings.of(ids, rows + noise).save(folder / "run" / "embeddings" / f"{name}.safetensors")
    Embeddings.of(ids, rows).save(folder / "truth.safetensors")
    return folder / "run"


def verb_arguments(verb: str, folder: Path, what: Path) -> Arguments:
    """``tune`` or ``evaluate`` of something, against the truth."""
    arguments = [verb, str(what), "--truth", str(folder / "truth.safetensors"), "--quiet"]
    return [*arguments, "--out", str(folder / ("blend.json" if verb == "tune" else "page"))]


def judging(verb: str, file: str, content: bytes) -> Case:
    """A run with one file damaged."""

    def arguments(folder: Path) -> Arguments:
        run = a_run(folder)
        (run / file).write_bytes(content)
        return verb_arguments(verb, folder, run)

    return arguments


def predicted(verb: str, content: bytes) -> Case:
    """An embeddings file that is damaged."""

    def arguments(folder: Path) -> Arguments:
        a_run(folder)
        (folder / "mine.safetensors").write_bytes(content)
        return verb_arguments(verb, folder, folder / "mine.safetensors")

    return arguments


def truth(verb: list[str], content: bytes) -> Case:
    """A truth that is damaged."""

    def arguments(folder: Path) -> Arguments:
        run = a_run(folder)
        (folder / "truth.csv").write_bytes(content)
        out = ["--out", str(folder / "judged"), "--quiet"]
        return [*verb, str(run), "--truth", str(folder / "truth.csv"), *out]

    return arguments


def embedding(folder: Path, content: bytes) -> Arguments:
    """``embed`` of a table."""
    (folder / "huge.csv").write_bytes(content)
    return ["embed", "--from", str(folder / "huge.csv"), "--out", str(folder / "e.safetensors")]


def into_a_folder(folder: Path) -> Arguments:
    """``tune`` into a folder, where a file should be written."""
    (folder / "blend.json").mkdir()
    return verb_arguments("tune", folder, a_run(folder))


def trained_on_nothing(folder: Path) -> Arguments:
    """``tune`` with training prompts that are not there."""
    return [*verb_arguments("tune", folder, a_run(folder)), "--trained-on", "nope.txt"]


def prompt_files() -> Iterator[tuple[str, Case]]:
    """Damaged files of prompts, for bank and dedupe."""

    def built(name: str, content: bytes, verb: str = "bank") -> Case:
        def arguments(folder: Path) -> Arguments:
            (folder / name).write_bytes(content)
            if verb == "dedupe":
                return ["dedupe", str(folder / name), "--out", str(folder / "distinct.txt")]
            return ["bank", "build", str(folder / "bank"), str(folder / name)]

        return arguments

    yield "bank, parquet of bytes", built("b.parquet", parquet([b"a", b"b"]))
    yield "bank, parquet of numbers", built("b.parquet", parquet([1, 2]))
    yield "bank, parquet of lists", built("b.parquet", parquet([["a"], ["b"]]))
    yield "bank, parquet cut short", built("b.parquet", parquet(["a cat"] * 5000)[:-4000])
    yield "bank, deep lines", built("b.jsonl", DEEP.encode())
    yield "dedupe, deep lines", built("b.jsonl", DEEP.encode(), "dedupe")
    yield "bank index, ten prompts", too_few_to_index


def parquet(values: list[object]) -> bytes:
    """A parquet file with one column, ``prompt``."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"prompt": values}), buffer)
    return buffer.getvalue()


def too_few_to_index(folder: Path) -> Arguments:
    """``bank index`` of a bank too small for an index."""
    (folder / "ten.txt").write_text("".join(f"prompt {number}\n" for number in range(10)))
    main(["bank", "build", str(folder / "bank"), str(folder / "ten.txt"), "--quiet"])
    return ["bank", "index", str(folder / "bank"), "--kind", "ivfpq"]


CASES: dict[str, Case] = {
    **dict(configurations()),
    **dict(captioner_folders()),
    **dict(regressor_folders()),
    **dict(runs()),
    **dict(prompt_files()),
}


def met(case: Case, folder: Path) -> tuple[int, list[str]]:
    """Exit code and what the command says on the error stream."""
    errors, result = io.StringIO(), io.StringIO()
    with redirect_stderr(errors), redirect_stdout(result):
        code = main(case(folder))
    return code, [line for line in errors.getvalue().splitlines() if line.strip()]


def say_all() -> None:
    """Every case and the line it ends in."""
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            code, lines = met(case, Path(folder))
        last = lines[-1].replace(folder, "…") if lines else ""
        sys.stdout.write(f"- {name}: [{code}] {last[:400]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    say_all()
