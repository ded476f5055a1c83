"""OFA's files on the disk: every layout gives the same captions, every fault one clear error."""

import argparse
import json

import pytest
import torch
from models.ofa.rule_weights import coarse
from models.ofa.tiny_ofa import folder_state, write_folder, write_vocabulary
from safetensors.torch import save_file

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.models.ofa.checkpoint import DECODER_WORDS, ENCODER_WORDS, OUTPUT, load_ofa

FAIRSEQ = (
    ("decoder.", "cross_attn_mid_layer_norm", "cross_attn_ln"),
    ("decoder.", "self_attn_mid_layer_norm", "self_attn_ln"),
    ("encoder.", "self_attn_mid_layer_norm", "attn_ln"),
    ("", "ffn_layer_norm", "ffn_layernorm"),
    ("", "cross_attn.", "encoder_attn."),
    ("", "cross_attn_layer_norm", "encoder_attn_layer_norm"),
)


@pytest.fixture
def state():
    return folder_state()


@pytest.fixture
def folder(tmp_path, state):
    return write_folder(tmp_path / "ofa", state)


def logits(path, vocabulary=None):
    model, tokenizer = load_ofa(path, vocabulary)
    question = torch.tensor([tokenizer.encode(" a dog")])
    with torch.inference_mode():
        memory = model.encode(question, coarse("image", (1, 3, 64, 48)))
        return model.logits(torch.tensor([[0, 9, 8]]), memory)


def fairseq_name(name):
    for start, ours, theirs in FAIRSEQ:
        if name.startswith(start):
            name = name.replace(ours, theirs)
    return name


def test_safetensors_and_bin_are_the_same(folder, state):
    expected = logits(folder)
    (folder / "pytorch_model.bin").unlink()
    separate = {name: tensor.clone() for name, tensor in state.items()}
    save_file(separate, folder / "model.safetensors")
    assert torch.equal(logits(folder), expected)


@pytest.mark.parametrize("kept", [ENCODER_WORDS, DECODER_WORDS, OUTPUT])
def test_the_table_of_words_may_be_stored_once_under_any_of_its_names(folder, state, kept):
    expected = logits(folder)
    slim = {k: v for k, v in state.items() if k not in {ENCODER_WORDS, DECODER_WORDS, OUTPUT}}
    del slim["encoder.token_rp_bucket"]
    torch.save(slim | {kept: state[ENCODER_WORDS]}, folder / "pytorch_model.bin")
    assert torch.equal(logits(folder), expected)


def test_a_fairseq_file_needs_no_configuration(folder, state, tmp_path):
    theirs = {fairseq_name(name): tensor for name, tensor in state.items()}
    assert len(set(theirs) - set(state)) > 50
    theirs["decoder.version"] = torch.tensor([3.0])
    arguments = argparse.Namespace(arch="ofa_large")
    path = tmp_path / "caption_large_best_clean.pt"
    torch.save({"args": arguments, "model": theirs}, path)
    assert torch.equal(logits(path, folder), logits(folder))


def test_half_precision_files_are_computed_in_full(folder, state):
    expected = logits(folder)
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    torch.save(halves, folder / "pytorch_model.bin")
    found = logits(folder)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)  # all these weights are exact in half precision


def test_a_vocabulary_may_lie_elsewhere(folder, tmp_path):
    expected = logits(folder)
    elsewhere = write_vocabulary(tmp_path / "elsewhere")
    (folder / "vocab.json").unlink()
    assert torch.equal(logits(folder, elsewhere), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.pop("encoder.layers.0.fc1.weight"),
            r"1 missing \(encoder.layers.0.fc1.weight",
        ),
        (lambda s: s.update(extra=torch.ones(1)), r"1 unexpected \(extra"),
        (
            lambda s: s.update({"encoder.pos_ln.bias": torch.ones(3)}),
            r"1 reshaped \(encoder.pos_ln",
        ),
        (lambda s: s.update({OUTPUT: s[OUTPUT] + 1}), "which are one in OFA"),
        (lambda s: [s.pop(k) for k in (ENCODER_WORDS, DECODER_WORDS, OUTPUT)], "holds none of"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder, state, change, message):
    change(state)
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(BadWeights, match=message):
        load_ofa(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bart"}, "'bart' model, expected 'ofa'"),
        ({"d_model": "large"}, "d_model = 'large', expected int"),
        ({"entangle_position_embedding": True}, "entangle_position_embedding"),
        ({"vocab_size": 99}, "expected the vocab.json that belongs to these weights"),
        ({"resnet_type": "resnet99"}, "resnet_type"),
        ({"activation_function": "swish"}, "activation_function"),
        ({"d_model": 63}, "63 for"),
        ({"d_model": 128}, "does not fit"),
    ],
)
def test_a_configuration_that_does_not_fit_is_one_clear_error(folder, change, message):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadWeights, match=message):
        load_ofa(folder)


def test_a_folder_without_weights_says_what_it_wants(folder):
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(MissingWeights, match=r"model\.safetensors or pytorch_model\.bin"):
        load_ofa(folder)


def test_a_pt_file_of_something_else_is_refused(folder, tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"model": {"weight": torch.ones(1)}}, path)
    with pytest.raises(BadWeights, match="no OFA checkpoint of fairseq"):
        load_ofa(path, folder)
