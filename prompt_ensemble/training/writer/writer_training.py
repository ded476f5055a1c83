"""Training of a prompt writer from texts to a saved model, in one call."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble import __version__
from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.exact_index import far_from
from prompt_ensemble.models.error_model import ErrorModel
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.vocabulary import PAD, encode_texts, learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces
from prompt_ensemble.models.text_decoder.writer import Writer, WriterCard, save_writer
from prompt_ensemble.training.decoder_loop import DecoderLoop
from prompt_ensemble.training.self_critical import sound_closeness, train_self_critically
from prompt_ensemble.training.writer.disturbance import Disturbance
from prompt_ensemble.training.writer.recipe import WriterRecipe
from prompt_ensemble.training.writer.texts import variants

log = logging.getLogger(__name__)
_WINDOW = 8
"""Batches of texts from which one is drawn."""
_JUDGED = 2000
"""Prompts held out, whose loss is noted."""


@dataclass(frozen=True, eq=False)
class WriterExamples:
    """Texts as tokens, with their embeddings; all on the device, the shortest texts first."""

    tokens: torch.Tensor
    lengths: tuple[int, ...]
    vectors: torch.Tensor
    disturbance: Disturbance
    recipe: WriterRecipe

    def batch(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """Tokens and disturbed embeddings of texts drawn at random.

        Texts of a batch are drawn from a window of about the same length, which may begin anywhere:
        so all are drawn alike often, and little of a batch is padding.
        """
        device, total = self.tokens.device, len(self.tokens)
        window = min(total, _WINDOW * count)
        start = random.Random(generator.initial_seed()).randrange(total)
        places = torch.randint(window, (count,), generator=generator, device=device)
        rows = (start + places) % total
        end = start + window
        longest = self.lengths[-1] if end > total else self.lengths[end - 1]
        return self.tokens[rows, :longest].long(), self.seen(rows, generator)

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """``(count,)`` rows drawn at random, all alike often."""
        device = self.tokens.device
        return torch.randint(len(self.tokens), (count,), generator=generator, device=device)

    def seen(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Disturbed embeddings of these rows."""
        return self.disturbed(self.vectors[rows].float(), generator)

    def disturbed(self, true: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Embeddings as regressors might predict them, a share of them left as they are."""
        recipe = self.recipe
        vectors = self.disturbance.disturb(true, generator, recipe.least_error, recipe.most_error)
        left = torch.rand(len(true), 1, generator=generator, device=true.device)
        return torch.where(left < recipe.undisturbed, true, vectors)


class _WriterLoss(nn.Module):
    """The loss of a batch, as the loop wants it."""

    def __init__(self, writer: Writer, smoothing: float) -> None:
        super().__init__()
        self.writer = writer
        self.smoothing = smoothing

    def forward(self, tokens: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the next tokens."""
        memory = self.writer.read(vectors)
        return self.writer.decoder.loss(tokens, memory, self.smoothing if self.training else 0.0)


def train_writer(
    prompts: Sequence[str],
    predicted: np.ndarray,
    true: np.ndarray,
    recipe: WriterRecipe,
    out: Path,
    *,
    encode: Encode,
    checkpoint_every: int = 1000,
    stop_after: int | None = None,
    cpu: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train, resuming what ``out`` holds; the writer is saved in ``out/writer`` at the end.

    How to disturb is learnt from unit rows that were ``predicted`` for left-out images and from
    the ``true`` ones; texts that are all but one of these are left out, so that the writer may be
    judged on those images. A few of the distinct ``prompts`` are held out, to note their loss.
    """
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=cpu)
    torch.manual_seed(recipe.seed)
    order = np.random.default_rng(recipe.seed).permutation(len(prompts))
    judged = [prompts[row] for row in order[: min(_JUDGED, len(prompts) // 10)]]
    others = [prompts[row] for row in order[len(judged) :]]
    training, vectors = _training_texts(others, true, recipe, encode)
    tokenizer = learn_vocabulary(training, recipe.vocabulary)
    spec = DecoderSpec(
        "transformer", tokenizer.get_vocab_size(), recipe.width, recipe.layers, recipe.heads,
        recipe.longest, recipe.dropout,
    )  # fmt: skip
    record: dict[str, Any] = {
        "recipe": asdict(recipe), "prompts": len(training), "judged_on": len(judged),
        "versions": {"prompt_ensemble": __version__, "torch": torch.__version__},
    }  # fmt: skip
    writer = Writer(WriterCard(spec, recipe.rows))
    device = accelerator.device
    disturbance = Disturbance.of(ErrorModel.fit(predicted, true, vectors), device)
    examples = _examples(training, vectors, tokenizer, disturbance, recipe, device)
    held_out = _examples(judged, encode(judged), tokenizer, disturbance, recipe, device)
    with torch.no_grad():
        writer.centre.copy_(examples.vectors.float().mean(0))
    loop = DecoderLoop(_WriterLoss(writer, recipe.smoothing), recipe, accelerator)

    def judge() -> dict[str, float]:
        generator = torch.Generator(accelerator.device).manual_seed(recipe.seed)
        vectors = held_out.disturbed(held_out.vectors.float(), generator)
        loss = float(loop.network(held_out.tokens.long(), vectors))
        return {"held_out_loss": round(loss, 5)}

    loop.train(
        examples, out, judge=judge if judged else None, checkpoint_every=checkpoint_every,
        stop_after=stop_after, progress=progress,
    )  # fmt: skip
    left = None if stop_after is None else stop_after - recipe.steps
    record |= loop.with_average(judge) if judged else {}
    loop.put(loop.average.state)
    if recipe.self_critical_steps and (left is None or left > 0):
        reward = sound_closeness(encode, examples.vectors.float().cpu().numpy())
        train_self_critically(
            writer, OwnPieces(tokenizer), examples, reward, recipe, out, accelerator,
            checkpoint_every=checkpoint_every, stop_after=left, progress=progress,
        )  # fmt: skip
    is_whole = left is None or left >= recipe.self_critical_steps
    if is_whole and accelerator.is_main_process:
        save_writer(writer, tokenizer, WriterCard(spec, recipe.rows, record), out / "writer")
        write_atomically(out / "run.json", json.dumps(record, indent=1) + "\n")
    return record


def _training_texts(
    prompts: Sequence[str], true: np.ndarray, recipe: WriterRecipe, encode: Encode
) -> tuple[list[str], np.ndarray]:
    """Prompts and their variants that are near to no true prompt, and their vectors."""
    texts = list(prompts)
    texts += variants(texts, recipe.variants, recipe.seed)  # of variants, too: the list is growing
    vectors = np.asarray(encode(texts), np.float32)
    rows = far_from(vectors, true) if texts else np.empty(0, np.int64)
    if not len(rows):
        raise BadConfig(
            "no prompt is left to train on: each has fewer than two plain words, or is all but one "
            "of the true prompts that the writer will be judged on; give other prompts"
        )
    return [texts[row] for row in rows.tolist()], vectors[rows]


def _examples(
    texts: Sequence[str],
    vectors: np.ndarray,
    tokenizer: Any,
    disturbance: Disturbance,
    recipe: WriterRecipe,
    device: torch.device,
) -> WriterExamples:
    """Texts with their embeddings, in half precision, on the device."""
    tokens = encode_texts(tokenizer, texts, recipe.longest)
    lengths = (tokens != PAD).sum(1)
    order = lengths.argsort(stable=True)
    rows = torch.from_numpy(vectors).half()
    return WriterExamples(
        tokens[order].to(torch.int16).to(device), tuple(lengths[order].tolist()),
        rows[order].to(device), disturbance, recipe,
    )  # fmt: skip
