"""CLIP's tokenizer, which files in the original layout lack, built from open_clip's list of merges.

The files written are those of OpenAI's published tokenizer: 49,408 words and 48,894 merges.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from prompt_ensemble.core.errors import BadWeights

_MERGES = 49152 - 256 - 2
"""Behind a line of heading; the words of the list that CLIP was trained with."""
_START, _END = "<|startoftext|>", "<|endoftext|>"


def write_clip_tokenizer(folder: Path, padding: str = _END) -> None:
    """The tokenizer's files; Stable Diffusion 2 and the second of XL pad with ``!``."""
    merges = _read_merges()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(_words(merges), ensure_ascii=False))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    config = {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True,
        "bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": padding,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def _read_merges() -> list[str]:
    """Pairs of pieces, in the order in which they are joined."""
    from open_clip.tokenizer import default_bpe

    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode().split("\n")
    merges = lines[1 : _MERGES + 1]
    if len(merges) != _MERGES:
        raise BadWeights(f"{default_bpe()} is cut short; install open_clip_torch again")
    return merges


def _words(merges: list[str]) -> dict[str, int]:
    """Every byte, every byte at the end of a word, what merges make, and the two marks."""
    from open_clip.tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    ends = [f"{letter}</w>" for letter in letters]
    joined = [merge.replace(" ", "") for merge in merges]
    names = [*letters, *ends, *joined, _START, _END]
    return {name: number for number, name in enumerate(names)}
