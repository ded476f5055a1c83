"""The published values, judged by the sizes of the networks that they describe."""

import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from transformers import CLIPTokenizer

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.generating.architectures import (
    ARCHITECTURES,
    recognise_architecture,
    write_architecture,
)
from prompt_ensemble.generating.clip_words import write_clip_tokenizer
from prompt_ensemble.generating.pipeline_index import read_index

AUTOENCODER = 83_653_863
NUMBERS = {
    "sd-1": {"unet": 859_520_964, "vae": AUTOENCODER, "text_encoder": 123_060_480},
    "sd-2-base": {"unet": 865_910_724, "vae": AUTOENCODER, "text_encoder": 340_387_840},
    "sd-2-v": {"unet": 865_910_724, "vae": AUTOENCODER, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684, "vae": AUTOENCODER,
        "text_encoder": 123_060_480, "text_encoder_2": 694_659_840,
    },
}  # fmt: skip
"""Of the published checkpoints."""
FIRST = "model.diffusion_model.input_blocks.0.0.weight"
TEXT = "model.diffusion_model.input_blocks.{}.1.transformer_blocks.0.attn2.to_k.weight"


def planned(part, folder):
    """A network without memory for its numbers."""
    with torch.device("meta"):
        if hasattr(part, "load_config"):
            return part.from_config(part.load_config(folder))
        return part(part.config_class.from_pretrained(folder))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_have_as_many_numbers_as_the_published_ones(name, tmp_path):
    write_architecture(name, tmp_path)
    parts = read_index(tmp_path, needed=False).parts
    counted = {
        part: sum(tensor.numel() for tensor in planned(parts[part], tmp_path / part).parameters())
        for part in NUMBERS[name]
    }
    assert counted == NUMBERS[name]


def test_the_tokenizer_is_clips(tmp_path):
    write_clip_tokenizer(tmp_path)
    ours, theirs = CLIPTokenizer.from_pretrained(tmp_path), SimpleTokenizer()
    assert ours.model_max_length == 77
    for text in ("A cat on the moon!", "it's 1234, naïve café", "日本 🎉", "", "x " * 100):
        tokens = theirs(text)[0].tolist()
        end = tokens.index(theirs.eot_token_id) + 1
        assert ours(text, truncation=True, max_length=77).input_ids == tokens[:end]


@pytest.mark.parametrize(
    ("level", "width", "predicts", "name"),
    [(1, 768, "", "sd-1"), (1, 1024, "v", "sd-2-v"), (1, 1024, "epsilon", "sd-2-base"),
     (4, 2048, "", "sdxl")],
)  # fmt: skip
def test_shapes_tell_the_architecture(level, width, predicts, name, tmp_path):
    shapes = {FIRST: (320, 4, 3, 3), TEXT.format(level): (320, width)}
    assert recognise_architecture(shapes, predicts, tmp_path) == name


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({}, "no whole Stable Diffusion"),
        ({FIRST: (320, 9, 3, 3)}, "inpainting"),
        ({FIRST: (320, 4, 3, 3), TEXT.format(1): (320, 1024)}, "sd-2-v or sd-2-base"),
        ({FIRST: (320, 4, 3, 3), TEXT.format(1): (320, 33)}, "width 33"),
    ],
)
def test_shapes_that_do_not_tell(shapes, reason, tmp_path):
    with pytest.raises(BadWeights, match=reason):
        recognise_architecture(shapes, "", tmp_path / "model.safetensors")


def test_an_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(BadConfig, match="did you mean 'sdxl'"):
        write_architecture("sdx", tmp_path)
