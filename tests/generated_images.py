"""Images as other programs write them: each family of metadata, with Pillow, in memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PROMPT = "a red fox in the snow, oil painting"
NEGATIVE = "blurry, ugly"
SEED = 1234
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
SETTINGS = (
    f"Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: {SEED}, Size: 64x64, Model: dreamshaper_8"
)


def picture(seed: int = 0, side: int = 96) -> Image.Image:
    """A smooth picture unlike those of other seeds."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC)


def png(texts: Mapping[str, str], seed: int = 0, *, compressed: bool = False) -> bytes:
    """A PNG with text chunks."""
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text, zip=compressed)
    content = io.BytesIO()
    picture(seed).save(content, "PNG", pnginfo=info)
    return content.getvalue()


def with_exif(comment: bytes, kind: str = "JPEG", seed: int = 0, tags: Mapping = {}) -> bytes:
    """An image with EXIF's UserComment, and other tags."""
    exif = Image.Exif()
    if comment:
        exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    exif.update(tags)
    content = io.BytesIO()
    picture(seed).save(content, kind, exif=exif)
    return content.getvalue()


def parameters(prompt: str = PROMPT, settings: str = SETTINGS) -> str:
    """AUTOMATIC1111's text."""
    return f"{prompt}\nNegative prompt: {NEGATIVE}\n{settings}"


def comfyui_graph(prompt: str = PROMPT, **more: dict) -> dict:
    """Nodes as ComfyUI's API takes them."""
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": SEED, "steps": 20, "cfg": 8, "sampler_name": "euler", "model": ["4", 0],
                "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dreamshaper_8"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt, "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": NEGATIVE, "clip": ["4", 1]}},
        **more,
    }  # fmt: skip


def comfyui_workflow() -> dict:
    """The links of the same graph, as ComfyUI's page keeps them."""
    links = [
        [1, 4, 0, 3, 0, "MODEL"], [2, 6, 0, 3, 1, "CONDITIONING"],
        [3, 7, 0, 3, 2, "CONDITIONING"], [4, 5, 0, 3, 3, "LATENT"],
        [5, 4, 1, 6, 0, "CLIP"], [6, 4, 1, 7, 0, "CLIP"],
    ]  # fmt: skip
    return {"nodes": [], "links": links}


def fooocus() -> dict:
    return {
        "prompt": PROMPT, "negative_prompt": NEGATIVE, "seed": str(SEED), "sampler": "dpmpp_2m",
        "scheduler": "karras", "steps": 30, "guidance_scale": 4.0, "sharpness": 2.0,
        "base_model": "dreamshaper_8", "base_model_hash": "abc", "version": "Fooocus v2.3.1",
    }  # fmt: skip


def invokeai() -> dict:
    return {
        "positive_prompt": PROMPT, "negative_prompt": NEGATIVE, "seed": SEED, "steps": 20,
        "cfg_scale": 7.5, "scheduler": "euler", "generation_mode": "txt2img",
        "model": {"model_name": "dreamshaper_8"}, "controlnets": [],
    }  # fmt: skip


def novelai() -> dict[str, str]:
    comment = {"steps": 28, "sampler": "k_euler", "seed": SEED, "scale": 11, "uc": NEGATIVE}
    return {
        "Title": "AI generated image", "Description": PROMPT, "Software": "NovelAI",
        "Source": "Stable Diffusion 1D44365E", "Comment": json.dumps(comment),
    }  # fmt: skip


def swarmui() -> dict:
    return {
        "sui_image_params": {
            "prompt": PROMPT, "negativeprompt": NEGATIVE, "model": "dreamshaper_8", "seed": SEED,
            "steps": 20, "cfgscale": 7.0, "sampler": "euler",
        }
    }  # fmt: skip


def draw_things() -> dict:
    return {
        "c": PROMPT, "uc": NEGATIVE, "seed": SEED, "sampler": "Euler a", "model": "dreamshaper_8",
        "steps": 20, "scale": 7, "size": "64x64", "strength": 1,
    }  # fmt: skip


def xmp(text: str, element: str = "exif:UserComment") -> str:
    """An XMP packet with one element that holds one text."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<{element}><rdf:Alt><rdf:li xml:lang="x-default">{escaped}</rdf:li></rdf:Alt>'
        f"</{element}></rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def utf_16(text: str, order: str = "be") -> bytes:
    """EXIF's comment in UTF-16."""
    return b"UNICODE\0" + text.encode(f"utf-16-{order}")


def _comfyui_png() -> bytes:
    workflow = json.dumps(comfyui_workflow())
    return png({"prompt": json.dumps(comfyui_graph()), "workflow": workflow})


def _comfyui_webp() -> bytes:
    graph = "Prompt:" + json.dumps(comfyui_graph())
    return with_exif(b"", "WEBP", tags={0x010F: graph})


def _fooocus_jpeg() -> bytes:
    # Fooocus sets the tag itself, and not within EXIF's own part.
    return with_exif(b"", tags={_USER_COMMENT: json.dumps(fooocus())})


FAMILIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "AUTOMATIC1111 PNG": ("AUTOMATIC1111", lambda: png({"parameters": parameters()})),
    "AUTOMATIC1111 zTXt": (
        "AUTOMATIC1111",
        lambda: png({"parameters": parameters()}, compressed=True),
    ),
    "AUTOMATIC1111 JPEG": ("AUTOMATIC1111", lambda: with_exif(utf_16(parameters()))),
    "AUTOMATIC1111 little-endian": (
        "AUTOMATIC1111",
        lambda: with_exif(utf_16(parameters(), "le"), "WEBP"),
    ),
    "AUTOMATIC1111 without settings": (
        "AUTOMATIC1111",
        lambda: png({"parameters": f"{PROMPT}\nNegative prompt: {NEGATIVE}"}),
    ),
    "Forge": (
        "Forge",
        lambda: png({"parameters": parameters(settings=f"{SETTINGS}, Version: f2.0.1v1.10.1")}),
    ),
    "ComfyUI": ("ComfyUI", _comfyui_png),
    "ComfyUI without workflow": (
        "ComfyUI",
        lambda: png({"prompt": json.dumps(comfyui_graph())}),
    ),
    "ComfyUI WebP": ("ComfyUI", _comfyui_webp),
    "InvokeAI": ("InvokeAI", lambda: png({"invokeai_metadata": json.dumps(invokeai())})),
    "InvokeAI Dream": (
        "InvokeAI",
        lambda: png({"Dream": f'"{PROMPT} [{NEGATIVE}]" -s 20 -S {SEED} -W 64 -H 64 -A k_euler'}),
    ),
    "NovelAI": ("NovelAI", lambda: png(novelai())),
    "Fooocus PNG": ("Fooocus", lambda: png({"parameters": json.dumps(fooocus())})),
    "Fooocus JPEG": ("Fooocus", _fooocus_jpeg),
    "SwarmUI PNG": ("SwarmUI", lambda: png({"parameters": json.dumps(swarmui())})),
    "SwarmUI JPEG": ("SwarmUI", lambda: with_exif(utf_16(json.dumps(swarmui())))),
    "Draw Things XMP": (
        "Draw Things",
        lambda: png({"XML:com.adobe.xmp": xmp(json.dumps(draw_things()))}),
    ),
    "Draw Things EXIF": (
        "Draw Things",
        lambda: with_exif(b"ASCII\0\0\0" + json.dumps(draw_things()).encode()),
    ),
    "Midjourney": (
        "Midjourney",
        lambda: png(
            {"Description": f"{PROMPT} --v 5 Job ID: 0a1b2c3d-1111-2222-3333-444455556666"}
        ),
    ),
    "EXIF description": ("", lambda: with_exif(b"", tags={0x010E: PROMPT})),
    "XMP description": ("", lambda: png({"XML:com.adobe.xmp": xmp(PROMPT, "dc:description")})),
    "plain comment": ("", lambda: with_exif(b"ASCII\0\0\0" + PROMPT.encode())),
}
"""Family → the tool that is to be found, and a file that holds ``PROMPT``."""
