"""The lists an interrogator chooses from, as clip-interrogator makes them of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.data.phrase_lists import PhraseList, package_folder, read_lines

MERGED = ("artists", "flavors", "mediums", "movements", "trendings")
"""Lists that ``fast`` and ``best`` look through as one, in this order."""
LISTS = (*MERGED, "negative")
_ARTIST_FORMS = ("by {}", "inspired by {}")
_SITE_FORMS = ("{}", "trending on {}", "featured on {}", "{} contest winner")
_FORMS = {"artists": _ARTIST_FORMS, "trendings": _SITE_FORMS}
_SITES = (
    *("Artstation", "behance", "cg society", "cgsociety", "deviantart", "dribble", "flickr"),
    *("instagram", "pexels", "pinterest", "pixabay", "pixiv", "polycount", "reddit"),
    *("shutterstock", "tumblr", "unsplash", "zbrush central"),
)


def load_vocabulary(own: Mapping[str, str]) -> dict[str, PhraseList]:
    """Every list by name; ``own`` names files of the user's that replace the package's.

    Repeated phrases stay: clip-interrogator ranks each of them, and a phrase of two
    lists may come twice. Empty lines, which it ranks too, are left out.
    """
    for name in own:
        if name not in LISTS:
            raise BadConfig(f"no phrase list {name!r}; {nearest_name(name, list(LISTS))}")
    return {name: PhraseList(name, phrases_of(name, own.get(name, ""))) for name in LISTS}


def phrases_of(name: str, source: str) -> tuple[str, ...]:
    """The phrases of one list, in all their forms: one form of all, then the next."""
    if name == "trendings" and not source:
        return _in_forms(_SITE_FORMS, _SITES)
    lines = read_lines(Path(source) if source else package_folder() / f"{name}.txt")
    return _in_forms(_FORMS.get(name, ("{}",)), lines)


def labels_of(name: str, source: str) -> tuple[str, ...]:
    """The same with empty lines, as clip-interrogator hashes its lists."""
    if name == "trendings" and not source:
        return _in_forms(_SITE_FORMS, _SITES)
    path = Path(source) if source else package_folder() / f"{name}.txt"
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = tuple(line.strip() for line in file)
    return _in_forms(_FORMS.get(name, ("{}",)), lines)


def _in_forms(forms: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Every name in the first form, then in the second, and so on."""
    return tuple(form.format(name) for form in forms for name in names)
