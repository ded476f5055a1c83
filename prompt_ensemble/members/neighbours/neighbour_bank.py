"""A neighbour bank: known prompts on the disk, in shards that are mapped and never read whole.

A folder with ``bank.json``, which says what the bank is made of, and ``shard-00000.safetensors``
and so on. A shard that exists is finished, so the same command continues a stopped build.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.files import file_digest, write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.data.prompt_files import in_shards, stream_prompts
from prompt_ensemble.members.neighbours.shards import BankShard, map_shard, write_shard
from prompt_ensemble.models.checkpoints import read_json

CARD = "bank.json"
ROWS_PER_SHARD = 65_536
Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class BankCard:
    """What a bank is made of; two builds with the same card give the same bank."""

    encoder: str
    """Digest of the sentence encoder."""
    tower: str | None
    """Digest of the tower whose rows are compared; None if the embeddings are."""
    sources: tuple[str, ...]
    """Digests of the files, in their order."""
    column: str
    rows_per_shard: int


@dataclass(frozen=True, eq=False)
class NeighbourBank:
    """Shards in order; a prompt's number is its place in the whole bank."""

    folder: Path
    card: BankCard
    shards: tuple[BankShard, ...]
    starts: np.ndarray
    """Number of each shard's first prompt."""

    def __len__(self) -> int:
        return sum(len(shard) for shard in self.shards)

    @property
    def width(self) -> int:
        """Numbers in a key."""
        return int(self.shards[0].keys.shape[1])

    def prompt(self, number: int) -> str:
        """A prompt by its number."""
        at = int(np.searchsorted(self.starts, number, side="right")) - 1
        return self.shards[at].prompt(number - int(self.starts[at]))

    def vectors(self, numbers: np.ndarray) -> np.ndarray:
        """Embeddings of the prompts with these numbers, float32, in the shape of the numbers."""
        return self.gather(numbers, [shard.vectors for shard in self.shards])

    def keys(self, numbers: np.ndarray) -> np.ndarray:
        """What queries are compared with, likewise."""
        return self.gather(numbers, [shard.keys for shard in self.shards])

    def gather(self, numbers: np.ndarray, columns: Sequence[np.ndarray]) -> np.ndarray:
        """Rows out of all shards, each touched once."""
        flat = numbers.ravel()
        at = np.searchsorted(self.starts, flat, side="right") - 1
        rows = np.empty((len(flat), columns[0].shape[1]), np.float32)
        for one in np.unique(at):
            here = at == one
            rows[here] = columns[one][flat[here] - self.starts[one]]
        return rows.reshape(*numbers.shape, -1)


def build_bank(
    folder: Path,
    sources: Sequence[Path],
    card: BankCard,
    embed: Embed,
    embed_keys: Embed | None = None,
    *,
    progress: Progress = silent,
) -> NeighbourBank:
    """Embed all prompts shard by shard; shards that are there already are kept."""
    claim(folder, card)
    total = sum(1 for _ in stream_prompts(sources, card.column))
    if not total:
        raise BadConfig(f"{', '.join(map(str, sources))} hold no prompt; expected one a line")
    prompts = stream_prompts(sources, card.column)
    with progress("embedding prompts", total, "prompt") as advance:
        for number, shard in enumerate(in_shards(prompts, card.rows_per_shard)):
            path = shard_path(folder, number)
            if not path.exists():
                keys = _embed_once(embed_keys, shard) if embed_keys else None
                write_shard(path, shard, _embed_once(embed, shard), keys)
            advance(len(shard))
    return open_neighbours(folder)


def _embed_once(embed: Embed, prompts: Sequence[str]) -> np.ndarray:
    """Rows of prompts; equal prompts share one, since another batch would move its last bits."""
    distinct = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    return embed(tuple(distinct))[[distinct[prompt] for prompt in prompts]]


def claim(folder: Path, card: BankCard) -> None:
    """Write the card, unless the folder holds a bank of something else."""
    path = folder / CARD
    if path.exists() and read_card(folder) != card:
        raise BadConfig(
            f"{folder} holds a bank of other prompts, another encoder or another shard size; "
            "build into another folder, or delete this one"
        )
    write_atomically(path, json.dumps(asdict(card), indent=1) + "\n")


def describe(
    sources: Sequence[Path], encoder: str, tower: str | None, column: str, rows_per_shard: int
) -> BankCard:
    """The card of a bank about to be built; missing files are noticed here."""
    absent = next((path for path in sources if not path.is_file()), None)
    if absent:
        raise BadConfig(f"{absent} is no file; give text, CSV or parquet files of prompts")
    digests = tuple(file_digest(path) for path in sources)
    return BankCard(encoder, tower, digests, column, rows_per_shard)


def read_card(folder: Path) -> BankCard:
    """What a folder's bank is made of."""
    try:
        return from_table(BankCard, read_json(folder / CARD), "its card")
    except BadConfig as error:
        raise BadWeights(f"{folder / CARD} describes no bank ({error}); build it again") from error


def open_neighbours(folder: Path) -> NeighbourBank:
    """A finished or half-built bank, mapped."""
    card = read_card(folder)
    paths = sorted(folder.glob("shard-*.safetensors"))
    if [path.name for path in paths] != [shard_path(folder, n).name for n in range(len(paths))]:
        raise BadWeights(f"{folder} lacks a shard in the middle; build the bank again to mend it")
    if not paths:
        raise BadWeights(f"{folder} holds no shard; build the bank first")
    shards = tuple(map_shard(path) for path in paths)
    starts = np.array([0, *accumulate(len(shard) for shard in shards)][:-1], np.int64)
    return NeighbourBank(folder, card, shards, starts)


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05}.safetensors"
