"""A captioner as a member of the ensemble: it looks once, then its words are embedded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from prompt_ensemble.captioners.generation import Generation, GenerationOptions
from prompt_ensemble.captioners.wording import Wording, word
from prompt_ensemble.checkpoints import read_json
from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.errors import BadConfig, BadWeights
from prompt_ensemble.findings import Findings, Line
from prompt_ensemble.model_folders import check_configs, opening
from prompt_ensemble.predictors import Encode, Looker, Predictor

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.captioners.contract import Captioner
    from prompt_ensemble.device import Placement
    from prompt_ensemble.weights import WeightRoots


SAVED_KEYS = (
    "num_beams",
    "max_length",
    "min_length",
    "min_new_tokens",
    "no_repeat_ngram_size",
    "repetition_penalty",
    "length_penalty",
    "early_stopping",
)
"""What of generation_config.json is honoured; whether to sample is for the user to say."""


@dataclass(frozen=True)
class CaptionOptions(GenerationOptions, Wording):
    """Options every captioner has; models add their own."""

    embedded: Literal["average", "best", "joined"] = "average"
    """Several captions of one image: ``average`` of their embeddings, only the ``best``, or all
    ``joined`` into one text. ``embed_each`` gives them separately."""


class CaptionPredictor(Predictor):
    """Finds the weights, and wraps the captioner that ``load`` puts on the device."""

    Options: ClassVar[type[CaptionOptions]] = CaptionOptions
    published: Generation = Generation()
    """What the model's authors generate with; a class constant, or read from the model's files."""
    model_type: ClassVar[str] = ""
    """What config.json of a transformers folder must say; empty for models of others."""
    generation_files: ClassVar[tuple[str, ...]] = ("generation_config.json",)
    """Files of a folder that may say how its model generates; the later goes above the earlier."""
    default_weights: ClassVar[str] = ""
    """The name that is looked for when the kind is asked for without one."""
    options: CaptionOptions

    def __init__(self, weights: str, options: CaptionOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        self.roots = roots
        self.path = roots.find(weights or self.default_weights).path
        self.generation = self.saved_generation().overridden(options)

    def saved_generation(self) -> Generation:
        """What the authors published, where the folder's own files do not say otherwise."""
        values = asdict(self.published)
        for name in self.generation_files:
            if (self.path / name).is_file():
                said = read_json(self.path / name)
                values |= {key: said[key] for key in SAVED_KEYS if said.get(key) is not None}
        try:
            return Generation(**values)
        except (BadConfig, TypeError) as error:
            raise BadWeights(
                f"{self.path}: {' and '.join(self.generation_files)} ask for captions that cannot "
                f"be ({error}); copy the whole model folder again"
            ) from error

    @cached_property
    def weights_digest(self) -> str:
        """Digest of all files of the model."""
        from prompt_ensemble.weights import weights_digest

        return weights_digest(self.path)

    def identity(self) -> Mapping[str, object]:
        """Weights, generation and the model's own options; wording and embedding come later."""
        later = {field.name for field in fields(CaptionOptions)}
        own = {k: v for k, v in asdict(self.options).items() if k not in later}
        said_by = f"{type(self).__module__}:{type(self).__name__}"
        return {"model": said_by, "weights": self.weights_digest} | asdict(self.generation) | own

    def check(self) -> None:
        """The folder's files are looked through; what they must be is for its kind to say."""
        check_configs(self.path)
        if self.model_type and self.path.is_dir():
            from prompt_ensemble.captioners.hugging_face import load_preprocessing, require

            require(self.path, self.model_type)
            load_preprocessing(self.path)

    @abstractmethod
    def load(self, placement: Placement) -> Captioner:
        """The captioner, on its device."""

    def open(self, placement: Placement, beside: Mapping[str, Findings]) -> Looker:
        """The loaded captioner as the inference loop wants it."""
        with opening(self.path):
            return CaptionLooker(self.load(placement))

    def embed(self, findings: Findings, encode: Encode) -> Embeddings:
        """Captions, worded, as one vector per image."""
        texts = [self.worded(lines) for lines in findings.lines]
        vectors = encode([text for row in texts for text in row])
        ends = list(accumulate(len(row) for row in texts))
        rows = [
            vectors[end - len(row) : end].mean(axis=0) for row, end in zip(texts, ends, strict=True)
        ]
        return Embeddings.of(findings.image_ids, np.stack(rows) if rows else vectors[:0])

    def embed_each(self, findings: Findings, encode: Encode) -> tuple[Embeddings, ...]:
        """Best captions, then second best, and so on, each as embeddings of their own."""
        ranks = min((len(lines) for lines in findings.lines), default=0)
        return tuple(
            Embeddings.of(
                findings.image_ids,
                encode([word(lines[rank].text, self.options) for lines in findings.lines]),
            )
            for rank in range(ranks)
        )

    def worded(self, lines: Sequence[Line]) -> list[str]:
        """The texts that stand for one image."""
        if self.options.embedded == "joined":
            bare = Wording(self.options.strip_openings, self.options.drop_repeats)
            return [", ".join(word(line.text, bare) for line in lines) + self.options.suffix]
        said = [word(line.text, self.options) for line in lines]
        return said[:1] if self.options.embedded == "best" else said


class CaptionLooker:
    """A captioner whose captions are kept as findings."""

    def __init__(self, captioner: Captioner) -> None:
        self.captioner = captioner

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The one view a captioner has of a picture."""
        return (self.captioner.prepare(image),)

    def look(self, views: tuple[torch.Tensor, ...], image_ids: Sequence[str]) -> Findings:
        """Captions of a batch, before any wording."""
        (pixels,) = views
        captions = self.captioner.caption(pixels)
        lines = [[Line("caption", said.text, said.score) for said in row] for row in captions]
        return Findings.said(image_ids, lines)
