"""The authors' BLIP files: same network as transformers' class, other names."""

import pytest
import torch
from tiny_captioners import blip_model, copy_bert_tokenizer, original_blip_state, wide_blip_model

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.captioners.blip_checkpoint import load_blip_checkpoint

HEAD = 16
"""Numbers per head of the tiny network; the published ones have 64."""


@pytest.fixture
def wide_blip():
    return wide_blip_model()


def save(state, path):
    torch.save({"model": state, "epoch": 4}, path)
    return path


def test_round_trip_gives_the_same_logits(tmp_path):
    model = blip_model(side=48)
    path = save(original_blip_state(model), tmp_path / "model_base_caption_capfilt_large.pth")
    loaded = load_blip_checkpoint(path, head_size=HEAD)
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    tokens = torch.tensor([[30522, 1037, 3861, 1997], [30522, 2045, 2003, 1037]])
    with torch.inference_mode():
        assert torch.equal(loaded(pixels, tokens).logits, model(pixels, tokens).logits)
    assert loaded.config.vision_config.image_size == 48


def test_tied_tensors_may_be_left_out(tmp_path):
    state = original_blip_state(blip_model())
    del state["text_decoder.cls.predictions.decoder.weight"]
    del state["text_decoder.cls.predictions.decoder.bias"]
    loaded = load_blip_checkpoint(save(state, tmp_path / "model_caption.pth"), head_size=HEAD)
    head = loaded.text_decoder.cls.predictions
    assert torch.equal(
        head.decoder.weight, state["text_decoder.bert.embeddings.word_embeddings.weight"]
    )
    assert torch.equal(head.decoder.bias, state["text_decoder.cls.predictions.bias"])


def test_the_file_captions_through_the_registry_as_its_folder_does(
    wide_blip, tmp_path, caption, pixels
):
    file = save(original_blip_state(wide_blip), tmp_path / "model_large_caption.pth")
    folder = tmp_path / "folder"
    wide_blip.save_pretrained(folder)
    copy_bert_tokenizer(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"size": 32, "image_mean": [0.48145466, 0.4578275, 0.40821073],'
        ' "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3}'
    )
    from_folder = caption("blip", folder, pixels, prompt="a picture of ")
    assert caption("blip", file, pixels) == from_folder  # the tokenizer comes with MiniLM
    assert caption("blip", tmp_path, pixels) == from_folder  # a folder with the one file in it
    assert caption("blip", file, pixels, prompt="") == caption("blip", folder, pixels)
    assert caption("blip", file, pixels, prompt="") != from_folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("visual_encoder.norm.weight"), "1 missing .*post_layernorm"),
        (lambda state: state.pop("visual_encoder.pos_embed"), "not an original BLIP captioner"),
        (lambda state: state.update({"itm_head.weight": torch.zeros(2)}), "itm_head.weight"),
        (
            lambda state: state.update({"visual_encoder.norm.weight": torch.zeros(3)}),
            r"post_layernorm.weight \(3,\) instead of \(48,\)",
        ),
    ],
    ids=["missing", "unrecognisable", "unexpected", "reshaped"],
)
def test_a_checkpoint_that_does_not_fit_is_one_clear_error(tmp_path, change, message):
    state = original_blip_state(blip_model())
    change(state)
    with pytest.raises(BadWeights, match=message):
        load_blip_checkpoint(save(state, tmp_path / "model_caption.pth"), head_size=HEAD)
