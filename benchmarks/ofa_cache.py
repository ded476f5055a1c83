"""OFA with a cache of keys and values against the authors' way, which decodes without one.

    python benchmarks/ofa_cache.py                                  # large, cut to 2 + 2 layers
    python benchmarks/ofa_cache.py --layers 12 12 --device cuda     # large as it is

The authors run the whole prefix through the decoder for every word, over a copy of the picture's
memory for every beam. Both sides have the same network, the same random weights and the same
search, and must say the same. Vision and encoder are the same work on both sides, done once. With
``--threads 1`` on a CPU the clock is the process's own time, so that whatever else runs on the
machine matters little.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import torch

from prompt_ensemble.models.ofa.config import SIZES
from prompt_ensemble.models.ofa.encoder import Memory
from prompt_ensemble.models.ofa.model import Ofa
from prompt_ensemble.models.text_generation.beam_search import search_captions
from prompt_ensemble.models.text_generation.decoding import Decoding, Hypothesis
from prompt_ensemble.models.text_generation.generation import Generation

QUESTION = [0, 99, 473, 5, 2274, 6190, 116, 2]
"""" what does the image describe?" in the published vocabulary."""


class UncachedDecoding:
    """Remembers words only."""

    def __init__(self, model: Ofa, memory: Memory) -> None:
        self.model = model
        self.memory = memory
        self.words = torch.empty(0, dtype=torch.long)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.words = torch.cat([self.words, tokens], 1) if len(self.words) else tokens
        beams = len(self.words) // len(self.memory.hidden)
        hidden = self.memory.hidden.repeat_interleave(beams, 0)
        copies = replace(self.memory, hidden=hidden)
        return self.model.logits(self.words, copies)[:, -1]

    def reorder(self, rows: torch.Tensor) -> None:
        self.words = self.words[rows]


def random_ofa(size: str, layers: list[int], device: torch.device) -> Ofa:
    """A published size cut to some encoder and decoder layers."""
    torch.manual_seed(0)
    encoder, decoder = layers
    model = Ofa(replace(SIZES[size], encoder_layers=encoder, decoder_layers=decoder))
    # As the authors initialise it; torch's way makes logits far wider than any trained ones.
    torch.nn.init.normal_(model.encoder.embed_tokens.weight, std=model.config.d_model**-0.5)
    model.encoder.embed_images.fold()
    return model.to(device).eval()


def clock(device: torch.device) -> float:
    """Seconds, once the device has done all it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time() if alone else time.perf_counter()


def ids(found: list[list[Hypothesis]]) -> list[list[int]]:
    return [hypotheses[0].tokens for hypotheses in found]


def measure(model: Ofa, images: torch.Tensor, generation: Generation) -> dict[str, float]:
    """Seconds by stage; the two decodings must agree."""
    device = images.device
    question = torch.tensor([QUESTION], device=device).expand(len(images), -1)
    model.encode(question[:1], images[:1])  # warm up
    times = [clock(device)]
    features = model.encoder.embed_images(images)
    times.append(clock(device))
    memory = model.encoder(question, features)
    times.append(clock(device))
    decoding: Decoding
    decoding, start = model.begin(memory, generation)
    end = model.config.eos_token_id
    ours = search_captions(decoding, start, end, generation, end_is_free=True)
    times.append(clock(device))
    decoding = UncachedDecoding(model, memory)
    authors = search_captions(decoding, start, end, generation, end_is_free=True)
    times.append(clock(device))
    if ids(ours) != ids(authors):
        raise SystemExit("the captions differ: this comparison means nothing")
    stages = ("vision", "encoder", "decoder, cached", "decoder, the authors' way")
    return {
        stage: after - before
        for stage, before, after in zip(stages, times, times[1:], strict=False)
    }


def report(seconds: dict[str, float], images: int) -> dict[str, float]:
    """The measured stages, and what they add up to on both sides."""
    vision, encoder, cached, authors = seconds.values()
    ours, theirs = vision + encoder + cached, vision + encoder + authors
    return seconds | {
        "whole, cached": ours,
        "whole, the authors' way": theirs,
        "images/s, cached": images / ours,
        "images/s, the authors' way": images / theirs,
        "times faster, decoder": authors / cached,
        "times faster, whole": theirs / ours,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="large")
    parser.add_argument("--layers", type=int, nargs=2, default=[2, 2], metavar=("ENC", "DEC"))
    parser.add_argument("--pixels", type=int, default=480)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--max-length", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    model = random_ofa(args.size, args.layers, device)
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(args.images, 3, args.pixels, args.pixels, generator=generator) * 2 - 1
    generation = Generation(args.beams, args.max_length, no_repeat_ngram_size=3)
    with torch.inference_mode():
        measured = report(measure(model, images.to(device), generation), args.images)
    if args.json:
        print(json.dumps(vars(args) | measured))
        return
    print(f"OFA-{args.size}, {args.layers[0]} + {args.layers[1]} layers, {args.images} images of")
    print(f"{args.pixels} px, {args.beams} beams, up to {args.max_length} tokens, {device},")
    print(f"{args.threads} CPU threads\n")
    print("| | seconds, or as named |\n|---|---:|")
    for name, value in measured.items():
        print(f"| {name} | {value:.2f} |")


if __name__ == "__main__":
    main()
