"""Every error that a user can cause or cure, one class per kind.

PromptEnsembleError
├── UnreadableImage      a picture that cannot be decoded safely
├── DuplicateImageId     two files that would become one row
├── BadConfig            a preset, option or command that makes no sense
├── MissingWeights       a model whose files are not to be found
├── BadWeights           files that are there but are not what they should be
├── MismatchedIds        vectors that do not belong to the images they are joined with
├── BadSubmission        a submission file that would score zero or be refused
├── MissingDependency    an optional package that an extra installs
├── BadPlugin            a plugin that cannot be imported or offers what it must not
├── MissingInput         a dataset or competition that a kernel was not given
├── BadMetadata          a kernel's or dataset's description that Kaggle would refuse
├── OutOfMemory          a device too small for a single image
└── WorkerFailed         a process on one of several devices that died

Each message is one line: what happened, where, what was expected, and the cure.
"""

from __future__ import annotations

_MOST_NAMES = 50
"""Known names that a message lists; timm has more than a thousand."""


class PromptEnsembleError(Exception):
    """Root of every error a user can cause or cure; the command line shows only these as a line."""


class UnreadableImage(PromptEnsembleError):
    """A picture that cannot be decoded safely."""


class DuplicateImageId(PromptEnsembleError):
    """Two files that would become one row."""


class BadConfig(PromptEnsembleError):
    """A preset, option or command that makes no sense."""


class MissingWeights(PromptEnsembleError):
    """A model whose files are not to be found."""


class BadWeights(PromptEnsembleError):
    """Files that are there but are not what they should be."""


class MismatchedIds(PromptEnsembleError):
    """Vectors that do not belong to the images they are joined with."""


class BadSubmission(PromptEnsembleError):
    """A submission file that would score zero or be refused."""


class MissingDependency(PromptEnsembleError):
    """An optional package that an extra installs."""


class BadPlugin(PromptEnsembleError):
    """A plugin that cannot be imported or offers what it must not."""


class MissingInput(PromptEnsembleError):
    """A dataset or competition that a kernel was not given."""


class BadMetadata(PromptEnsembleError):
    """A kernel's or dataset's description that Kaggle would refuse."""


class OutOfMemory(PromptEnsembleError):
    """A device too small for a single image."""


class WorkerFailed(PromptEnsembleError):
    """A process on one of several devices that died."""


def nearest_name(name: str, known: list[str]) -> str:
    """The tail of an unknown-name message: near matches if there are some, and all known names.

    Of very many known names only the near ones are listed.
    """
    import difflib

    if len(known) > _MOST_NAMES:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
        return f"near ones: {', '.join(near)}" if near else f"{len(known)} are known, none near"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(known)}"
