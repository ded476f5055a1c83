"""Phrase lists: words that prompts are made of, from clip-interrogator's package or a text file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig

_PACKAGE_LISTS = ("artists", "flavors", "mediums", "movements", "negative")
_LONGEST_PHRASE = 1000
"""Characters; a longer line is no phrase but a file of another kind."""


@dataclass(frozen=True)
class PhraseList:
    """Phrases in the order of their list, each once."""

    name: str
    phrases: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Tells apart lists that would make different banks."""
        return hashlib.sha256("\n".join(self.phrases).encode()).hexdigest()


def load_phrases(source: str) -> PhraseList:
    """A list of clip-interrogator's by name, or the lines of a text file."""
    if source in _PACKAGE_LISTS:
        return read_phrases(package_folder() / f"{source}.txt")
    path = Path(source)
    if not path.is_file():
        raise BadConfig(
            f"phrase list {source!r} is neither a file nor one of {', '.join(_PACKAGE_LISTS)}"
        )
    return read_phrases(path)


def package_folder() -> Path:
    """Where clip-interrogator keeps its lists; the package itself is not imported."""
    spec = find_spec("clip_interrogator")
    if spec is None or spec.origin is None:
        raise BadConfig("the phrase lists come with clip-interrogator; pip install it")
    return Path(spec.origin).parent / "data"


def read_phrases(path: Path) -> PhraseList:
    """A text file's lines, trimmed, without empty ones and repetitions."""
    return PhraseList(path.stem, tuple(dict.fromkeys(read_lines(path))))


def read_lines(path: Path) -> tuple[str, ...]:
    """A text file's lines, trimmed, without empty ones; repetitions stay."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfig(
            f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8, one phrase a line"
        ) from error
    except OSError as error:
        raise BadConfig(f"phrase list {path} cannot be read ({error.strerror})") from error
    phrases = tuple(line.strip() for line in text.split("\n") if line.strip())
    overlong = next((phrase for phrase in phrases if len(phrase) > _LONGEST_PHRASE), None)
    if overlong:
        raise BadConfig(
            f"{path} has a line of {len(overlong)} characters ({overlong[:40]!r} …); "
            f"expected one phrase a line, {_LONGEST_PHRASE} characters at most"
        )
    if not phrases:
        raise BadConfig(f"{path} holds no phrase; expected one a line")
    return phrases
