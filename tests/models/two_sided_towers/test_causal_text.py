"""CLIP's texts computed only up to their last token: the rows are those of open_clip's forward."""

from __future__ import annotations

import open_clip
import pytest
import torch
from torch.nn.functional import normalize

from prompt_ensemble.models.two_sided_towers.causal_text import encode_tokens, is_causal

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 3},
}
TEXTS = ["a cat", "", "by Frank Lloyd Wright, & co", "x " * 100, "un café très fin", "cat!"]


@pytest.fixture(scope="module", params=["CLIP", "CustomTextCLIP"])
def model(request):
    torch.manual_seed(0)
    return getattr(open_clip, request.param)(**CONFIG).eval()


def same_rows(model, texts):
    text = getattr(model, "text", model)
    tokens = open_clip.SimpleTokenizer()(texts)
    with torch.inference_mode():
        ours = normalize(encode_tokens(text, tokens), dim=-1)
        torch.testing.assert_close(ours, model.encode_text(tokens, True), atol=1e-5, rtol=0)


def test_texts_without_padding_give_the_rows_of_padded_ones(model):
    same_rows(model, TEXTS)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_alone_gives_the_row_of_a_batch(model, text):
    same_rows(model, [text])


@pytest.mark.parametrize("start", ["a cat on a mat", "what a cat!", "café", "x " * 72 + "y"])
def test_a_shared_beginning_changes_no_row(model, start):
    additions = ["by someone", "très fin", "art & craft", "it's", "long " * 80]
    same_rows(model, [f"{start}, {addition}" for addition in additions])


def test_texts_that_are_all_the_same_share_everything_but_the_end(model):
    same_rows(model, ["a cat", "a cat"])


def test_texts_that_look_ahead_are_left_to_open_clip(model):
    config = CONFIG | {"text_cfg": CONFIG["text_cfg"] | {"no_causal_mask": True}}
    text = getattr(model, "text", model)
    other = type(model)(**config)
    assert is_causal(text)
    assert not is_causal(getattr(other, "text", other))
