"""One candidate becomes a row, and a picture if it is kept; no other image matters here."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from PIL import Image

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.data.gathering.cleaning import LONGEST_PROMPT, clean_prompt
from prompt_ensemble.data.gathering.generation import Generation
from prompt_ensemble.data.gathering.kinds import kind_of_name
from prompt_ensemble.data.gathering.language import language_of
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.prompt_records import Columns, read_prompt_record
from prompt_ensemble.data.gathering.readers.order import read_generation
from prompt_ensemble.data.gathering.row import (
    LANGUAGE,
    NO_PROMPT,
    NOTHING_LEFT,
    SMALL,
    TOO_LONG,
    UNREADABLE,
    UNSAFE,
    Row,
)
from prompt_ensemble.data.gathering.sources.candidate import Candidate, SideInformation
from prompt_ensemble.data.gathering.unsafe_words import unsafe_words
from prompt_ensemble.images.embedded_texts import PARAMETERS, decode_with_texts
from prompt_ensemble.images.perceptual_hash import perceptual_hash

_QUALITY = 92
_KEPT_AS_THEY_ARE = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"))
"""How files begin that every program reads."""
_LONGEST_NAME = 255
"""Of a file; an archive may hold longer ones, which no system would have made."""
_NUMBERED = re.compile(r"^(?:\d{2,}[-_ ]+)+|[-_ ]+(?:\d+|[0-9a-f]{8,})$")
"""Counters and digests that programs put before and behind a prompt in a name."""


@dataclass(frozen=True)
class Examined:
    """A row, and the bytes of the picture that is to be written; none if it is left out."""

    row: Row
    content: bytes = b""


def examine(candidate: Candidate, source: str, options: GatherOptions) -> Examined:
    """Read, decode, clean and judge one image; whatever is wrong with it is written in its row."""
    row = Row(source, printable(candidate.name))
    path = Path(source) / row.name
    try:
        content = candidate.read()
        picture, texts = decode_with_texts(content, path)
    except UnreadableImage as error:
        return Examined(replace(row, left_out=UNREADABLE, detail=printable(str(error))))
    row = replace(
        row,
        width=picture.width,
        height=picture.height,
        digest=hashlib.sha256(content).hexdigest(),
    )
    side = candidate.side_information()
    generation = find_generation(candidate.name, texts, side, options)
    if generation is None:
        return Examined(replace(row, left_out=NO_PROMPT))
    row = with_generation(row, generation)
    reason = reason_to_leave_out(row, options)
    if reason:
        return Examined(replace(row, left_out=reason))
    encoded, suffix = _encoded(picture, content, options.longest_side)
    return Examined(replace(row, hash=perceptual_hash(picture), suffix=suffix), encoded)


def find_generation(
    name: str, texts: dict[str, str], side: SideInformation, options: GatherOptions
) -> Generation | None:
    """The surest account of an image: an index the user named, its own texts, what lies beside."""
    columns = Columns(options.image_column, options.prompt_column)
    record = read_prompt_record(side.record, columns) if side.record else None
    if record and side.chosen:
        return record
    found = [
        read_generation(texts),
        record,
        read_prompt_record(side.sidecar_record) if side.sidecar_record else None,
        _of_sidecar(side.sidecar),
        _of_name(name) if options.names_are_prompts else None,
    ]
    known = [generation for generation in found if generation]
    sure = [generation for generation in known if generation.certainty == "certain"]
    return next(iter(sure or known), None)


def with_generation(row: Row, generation: Generation) -> Row:
    """The row with all that is known of its image."""
    original = printable(generation.prompt)
    prompt = clean_prompt(original)
    return replace(
        row,
        prompt=prompt,
        original=original,
        negative=printable(generation.negative),
        seed=printable(generation.seed),
        sampler=printable(generation.sampler),
        model=printable(generation.model),
        tool=printable(generation.tool),
        certainty=generation.certainty,
        kinds=", ".join(dict.fromkeys((*generation.kinds, *kind_of_name(row.name)))),
        language=language_of(prompt),
        unsafe=", ".join(unsafe_words(prompt)),
    )


def reason_to_leave_out(row: Row, options: GatherOptions) -> str:
    """Why an image is no pair by itself; empty if it is one."""
    kinds = [kind for kind in row.kinds.split(", ") if kind and kind not in options.include]
    if kinds:
        return kinds[0]
    if not row.prompt:
        return NOTHING_LEFT
    if len(row.original) >= LONGEST_PROMPT:
        return TOO_LONG
    if min(row.width, row.height) < options.smallest_side:
        return SMALL
    if options.languages and row.language not in options.languages:
        return LANGUAGE
    return UNSAFE if row.unsafe and options.drop_unsafe else ""


def printable(text: str) -> str:
    """Text that every file and terminal can hold, of bounded length."""
    sound = text[:LONGEST_PROMPT].encode("utf-8", "replace").decode()
    spaced = (" " if letter.isspace() and letter != "\n" else letter for letter in sound)
    return "".join(letter for letter in spaced if letter.isprintable() or letter == "\n").strip()


def _of_sidecar(text: str) -> Generation | None:
    """A text file beside an image: AUTOMATIC1111's parameters, or a caption."""
    if not text:
        return None
    generation = read_generation({PARAMETERS: text})
    return generation or Generation(text, certainty="likely")


def _of_name(name: str) -> Generation | None:
    """The words of a file's name, without counters and digests."""
    stem = PurePosixPath(name).stem[:_LONGEST_NAME]
    while (shorter := _NUMBERED.sub("", stem)) != stem:
        stem = shorter
    words = stem.replace("_", " ").strip()
    return Generation(words, certainty="guess") if " " in words or "-" in words else None


def _encoded(picture: Image.Image, content: bytes, longest: int) -> tuple[bytes, str]:
    """A JPEG no larger than wanted; or the file itself, if it is of a format all programs read."""
    for start, suffix in () if longest else _KEPT_AS_THEY_ARE:
        if content.startswith(start):
            return content, suffix
    if longest and max(picture.size) > longest:
        picture = picture.copy()
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue(), ".jpg"
