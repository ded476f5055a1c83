"""What the fixtures' check_port.py asks of an OFA port, answered by ours.

python FIXTURES/check_port.py tests/captioners/ofa/port_adapter.py --only micro,search,gen
"""

from pathlib import Path

import torch

from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.ofa import checkpoint
from prompt_ensemble.models.ofa.config import OfaConfig
from prompt_ensemble.models.ofa.model import PREPROCESSING
from prompt_ensemble.models.ofa.tokenizer import load_tokenizer
from prompt_ensemble.models.text_generation.beam_search import fairseq_search, search_captions
from prompt_ensemble.models.text_generation.generation import Generation

START, PAD, END = 0, 1, 2


def build(config, state):
    config = OfaConfig.from_mapping(config, Path("config.json"))
    return checkpoint.build(config, state, Path("state"))


def vision(model, images):
    return model.encoder.embed_images(images)


def encode(model, input_ids, images):
    memory = model.encode(input_ids, images)
    rows, length = memory.hidden.shape[:2]
    padding = memory.padding
    if padding is None:
        padding = torch.zeros(rows, length, dtype=torch.bool)
    return memory.hidden, memory.positions.expand(rows, -1, -1), padding


def logits(model, input_ids, images, decoder_ids, decoder_mask, code_rows):
    padding = None if decoder_mask is None else decoder_mask == 0
    return model.logits(decoder_ids, model.encode(input_ids, images), padding, code_rows)


def generate_hf(model, input_ids, images, **args):
    generation = Generation(scoring="2023", **args)
    return sequences(model.generate(input_ids, images, generation))


def generate_fs(model, input_ids, images, **args):
    return hypotheses(model.generate_fairseq(input_ids, images, fairseq_generation(**args)))


def search_hf(step_logits, batch, **args):
    found = search_captions(
        TableDecoding(step_logits, batch),
        torch.full((batch, 1), START),
        END,
        Generation(scoring="2023", **args),
        end_is_free=True,
    )
    return sequences(found), [row[0].score for row in found]


def search_fs(step_logits, batch, **args):
    decoding, start = TableDecoding(step_logits, batch), torch.full((batch, 1), START)
    return hypotheses(fairseq_search(decoding, start, END, PAD, fairseq_generation(**args)))


def fairseq_generation(beam_size, max_len_b, min_len, len_penalty=1.0, **args):
    return Generation(
        num_beams=beam_size,
        num_return_sequences=beam_size,
        max_length=max_len_b + 2,
        min_length=min_len + 1,
        length_penalty=len_penalty,
        **args,
    )


def sequences(found):
    """The best of each image as ``generate`` returns it: with start and end, padded."""
    best = [[START, *row[0].tokens, END] for row in found]
    longest = max(map(len, best))
    return [row + [PAD] * (longest - len(row)) for row in best]


def hypotheses(found):
    return [[([*hypothesis.tokens, END], hypothesis.score) for hypothesis in row] for row in found]


class TableDecoding:
    """A decoder without a network: a function of the image's number and the prefix."""

    def __init__(self, step_logits, batch):
        self.step_logits = step_logits
        self.batch = batch
        self.prefixes = torch.empty(batch, 0, dtype=torch.long)

    def step(self, tokens):
        self.prefixes = torch.cat([self.prefixes, tokens], 1)
        beams = len(self.prefixes) // self.batch
        rows = enumerate(self.prefixes.tolist())
        return torch.stack([self.step_logits(place // beams, row) for place, row in rows])

    def reorder(self, rows):
        self.prefixes = self.prefixes[rows]


class RealTokenizer:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text, special):
        ids = self.tokenizer.encode(text)
        return ids if special else ids[1:-1]

    def decode(self, ids, skip_special):
        return self.tokenizer.decode(ids, keep_specials=not skip_special)


def tokenizer(vocab_json, merges_txt):
    return RealTokenizer(load_tokenizer_files(Path(vocab_json), Path(merges_txt)))


def load_tokenizer_files(vocab, merges):
    """The fixtures give their files names of their own."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(vocab, Path(folder) / "vocab.json")
        shutil.copy(merges, Path(folder) / "merges.txt")
        return load_tokenizer(Path(folder))


def preprocess(image, size):
    recipe = Preprocessing(size, size, PREPROCESSING.mean, PREPROCESSING.std)
    return recipe.normalise(recipe.prepare(image.convert("RGB")))
