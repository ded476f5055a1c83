"""Words that tell what a text speaks of, from ``word_lists.toml``.

They are lists and no grammar: "content words" here are words that are on none of the others.
"""

from __future__ import annotations

import tomllib
from importlib import resources

_FILE = resources.files("prompt_ensemble.study") / "word_lists.toml"
_LISTS = tomllib.loads(_FILE.read_text(encoding="utf-8"))
STOP_WORDS = frozenset(_LISTS["stop"].split())
QUALITY_WORDS = frozenset(_LISTS["quality"].split())
CONTENT_CLASSES = {name: frozenset(words.split()) for name, words in _LISTS["content"].items()}
"""An image is of every class of which its prompts have a word, else of none of them."""
NO_CLASS = "none of these"
