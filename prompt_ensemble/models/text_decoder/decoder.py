"""The networks that write: a Transformer or a recurrent decoder, attending to memory rows.

A memory is ``(B, M, W)``: what an image encoder or a vector became, M rows of the decoder's width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from prompt_ensemble.models.text_decoder.vocabulary import PAD, START
from prompt_ensemble.models.text_generation.cached_decoding import CachedDecoding
from prompt_ensemble.models.text_generation.decoding import Decoding


@dataclass(frozen=True)
class DecoderSpec:
    """All that a decoder is built from."""

    kind: Literal["transformer", "recurrent", "language-model"] = "transformer"
    vocabulary: int = 8000
    width: int = 288
    layers: int = 6
    heads: int = 6
    longest: int = 64
    """Tokens, start and end included."""
    dropout: float = 0.1
    language_model: Mapping[str, Any] = field(default_factory=dict)
    """What transformers builds the language model from; empty for decoders of our own."""


class TextDecoder(nn.Module):
    """What trains and decodes alike, whatever the kind."""

    spec: DecoderSpec
    pad: ClassVar[int] = PAD
    """What follows the end of a text in a batch."""

    def forward(self, tokens: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """``(B, T)`` tokens and ``(B, M, W)`` memory to ``(B, T, V)`` logits of what follows."""
        raise NotImplementedError

    def begin(self, memory: torch.Tensor) -> Decoding:
        """A batch about to be written, step by step."""
        raise NotImplementedError

    def loss(
        self, tokens: torch.Tensor, memory: torch.Tensor, smoothing: float = 0.0
    ) -> torch.Tensor:
        """Mean cross-entropy of each next token; padding does not count."""
        logits = self(tokens[:, :-1], memory)
        return cross_entropy(
            logits.flatten(0, 1).float(), tokens[:, 1:].flatten(), ignore_index=self.pad,
            label_smoothing=smoothing,
        )  # fmt: skip


def tied_names(network: nn.Module) -> dict[str, str]:
    """Tensors that are another one under a second name, and that one: files hold them once."""
    first: dict[int, str] = {}
    named = network.named_parameters(remove_duplicate=False)
    names = [(name, first.setdefault(id(tensor), name)) for name, tensor in named]
    return {name: twin for name, twin in names if name != twin}


class TransformerDecoder(TextDecoder):
    """GPT-2's blocks with attention to the memory in each."""

    def __init__(self, spec: DecoderSpec) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__()
        self.spec = spec
        self.text = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=spec.vocabulary, n_positions=spec.longest, n_embd=spec.width,
                n_layer=spec.layers, n_head=spec.heads, add_cross_attention=True,
                resid_pdrop=spec.dropout, embd_pdrop=spec.dropout, attn_pdrop=spec.dropout,
                bos_token_id=START, eos_token_id=None,
            )
        )  # fmt: skip

    def forward(self, tokens: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        output = self.text(input_ids=tokens, encoder_hidden_states=memory, use_cache=False)
        logits: torch.Tensor = output.logits
        return logits

    def begin(self, memory: torch.Tensor) -> Decoding:
        return CachedDecoding(self.text, memory)


class RecurrentDecoder(TextDecoder):
    """Show, attend and tell: an LSTM that looks at the memory before each word."""

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.words = nn.Embedding(spec.vocabulary, spec.width)
        self.key = nn.Linear(spec.width, spec.width, bias=False)
        self.query = nn.Linear(spec.width, spec.width)
        self.energy = nn.Linear(spec.width, 1)
        self.gate = nn.Linear(spec.width, spec.width)
        self.start = nn.Linear(spec.width, 2 * spec.width)
        self.cell = nn.LSTMCell(2 * spec.width, spec.width)
        self.drop = nn.Dropout(spec.dropout)
        self.out = nn.Linear(2 * spec.width, spec.width)
        self.bias = nn.Parameter(torch.zeros(spec.vocabulary))

    def forward(self, tokens: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        state, keys = self.open(memory), self.key(memory)
        logits = []
        for words in tokens.unbind(1):
            step, state = self.write(words, state, memory, keys)
            logits.append(step)
        return torch.stack(logits, 1)

    def open(self, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The LSTM's state before the first word: what the memory holds on the whole."""
        hidden, cell = self.start(memory.mean(1)).tanh().chunk(2, -1)
        return hidden, cell

    def write(
        self,
        words: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor],
        memory: torch.Tensor,
        keys: torch.Tensor,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """``(B,)`` words to ``(B, V)`` logits of the next, and the state after them.

        Attention as Bahdanau has it: ``softmax(v · tanh(K + q))`` over the memory's rows.
        """
        energies = self.energy((keys + self.query(state[0])[:, None]).tanh()).squeeze(-1)
        seen = (energies.softmax(-1)[:, None] @ memory).squeeze(1)
        seen = self.gate(state[0]).sigmoid() * seen
        state = self.cell(torch.cat([self.words(words), seen], -1), state)
        ready = self.out(self.drop(torch.cat([state[0], seen], -1))).tanh()
        return ready @ self.words.weight.T + self.bias, state

    def begin(self, memory: torch.Tensor) -> Decoding:
        return _RecurrentDecoding(self, memory)


class _RecurrentDecoding:
    """A batch being written by a recurrent decoder."""

    def __init__(self, decoder: RecurrentDecoder, memory: torch.Tensor) -> None:
        self.decoder = decoder
        self.memory = memory
        self.keys = decoder.key(memory)
        self.state: Any = decoder.open(memory)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(R, t)`` new tokens to ``(R, V)`` logits of the token that follows."""
        if len(tokens) != len(self.memory):
            beams = len(tokens) // len(self.memory)
            self.reorder(torch.arange(len(self.memory)).repeat_interleave(beams))
        for words in tokens.unbind(1):
            logits, self.state = self.decoder.write(words, self.state, self.memory, self.keys)
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        """Continue from these rows."""
        self.memory, self.keys = self.memory[rows], self.keys[rows]
        self.state = (self.state[0][rows], self.state[1][rows])

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone, in their order."""
        self.reorder(rows)
