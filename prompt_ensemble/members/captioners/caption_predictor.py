"""A captioner as a member of the ensemble: it captions once, then its captions are embedded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.captioners.wording import Wording, word
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.checkpoints import read_json
from prompt_ensemble.models.folders import check_configs, opening
from prompt_ensemble.models.text_generation.generation import Generation, GenerationOptions

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
    from prompt_ensemble.models.weights import WeightRoots


_SAVED_KEYS = (
    "num_beams",
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "no_repeat_ngram_size",
    "repetition_penalty",
    "length_penalty",
    "early_stopping",
)
"""What of generation_config.json is honoured here, and single tokens where a model is loaded.

Whether to sample and how many captions to keep is for the user to say.
"""


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
    """Files of a folder that may say how its model generates; the first that is there counts."""
    default_weights: ClassVar[str] = ""
    """The name that is looked for when the kind is asked for without one."""
    stored_as: ClassVar[str] = ""
    """What keys of stored outputs call the class; it stays when the class moves, so that stores
    that exist are still found."""
    options: CaptionOptions

    def __init__(self, weights: str, options: CaptionOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        self.roots = roots
        self.path = roots.find(weights or self.default_weights).path
        self.generation = self.saved_generation().overridden(options)

    def saved_generation(self) -> Generation:
        """What the authors published, where the folder's own files do not say otherwise."""
        published = self.published_for(self.options)
        files = [self.path / name for name in self.generation_files]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            return published
        config = read_json(file)
        saved = {key: config[key] for key in _SAVED_KEYS if config.get(key) is not None}
        try:
            return published.under(saved)
        except (BadConfig, TypeError) as error:
            raise BadWeights(
                f"{file} asks for captions that cannot be ({error}); copy the whole model folder "
                "again"
            ) from error

    @classmethod
    def published_for(cls, options: CaptionOptions) -> Generation:
        """What the authors publish for these options."""
        return cls.published

    def tokens(self, name: str, model: Any, *parts: Any) -> tuple[int, ...]:
        """Tokens that the folder's files must name, where ``generate`` looks for them."""
        from prompt_ensemble.models.text_generation.token_rules import tokens

        for config in (model.generation_config, model.config, *parts):
            if named := tokens(getattr(config, name, None)):
                return named
        raise BadWeights(
            f"{self.path}: neither generation_config.json nor config.json say {name}, so captions "
            "could not begin or end; copy the whole model folder"
        )

    @cached_property
    def weights_digest(self) -> str:
        """Digest of all files of the model."""
        from prompt_ensemble.models.weights import weights_digest

        return weights_digest(self.path)

    def identity(self) -> Mapping[str, object]:
        """Weights, generation and the model's own options; wording and embedding come later."""
        later = {field.name for field in fields(CaptionOptions)}
        own = {k: v for k, v in asdict(self.options).items() if k not in later}
        model = self.stored_as or f"{type(self).__module__}:{type(self).__name__}"
        return {"model": model, "weights": self.weights_digest} | asdict(self.generation) | own

    def check(self) -> None:
        """The folder's files are looked through; what they must be is for its kind to say."""
        check_configs(self.path)
        if self.model_type and self.path.is_dir():
            from prompt_ensemble.models.transformers_folders import load_preprocessing, require

            require(self.path, self.model_type)
            load_preprocessing(self.path)

    @abstractmethod
    def load(self, placement: Placement) -> SearchingCaptioner:
        """The captioner, on its device."""

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The loaded captioner as the inference loop wants it."""
        with opening(self.path):
            return OpenedCaptioner(self.load(placement))

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """Captions, worded, as one vector per image."""
        texts = [self.worded(lines) for lines in outputs.lines]
        vectors = encode([text for row in texts for text in row])
        ends = list(accumulate(len(row) for row in texts))
        rows = [
            vectors[end - len(row) : end].mean(axis=0) for row, end in zip(texts, ends, strict=True)
        ]
        return Embeddings.of(outputs.image_ids, np.stack(rows) if rows else vectors[:0])

    def embed_each(self, outputs: Outputs, encode: Encode) -> tuple[Embeddings, ...]:
        """Best captions, then second best, and so on, each as embeddings of their own."""
        ranks = min((len(lines) for lines in outputs.lines), default=0)
        return tuple(
            Embeddings.of(
                outputs.image_ids,
                encode([word(lines[rank].text, self.options) for lines in outputs.lines]),
            )
            for rank in range(ranks)
        )

    def captions(self, outputs: Outputs) -> Iterator[tuple[str, str]]:
        """Image id and caption, worded and in one line, for each caption of each image."""
        for image_id, lines in zip(outputs.image_ids, outputs.lines, strict=True):
            for text in self.worded(lines):
                yield image_id, " ".join(text.split())

    def worded(self, lines: Sequence[Line]) -> list[str]:
        """The texts that are embedded for one image."""
        if self.options.embedded == "joined":
            without_suffix = replace(self.options, suffix="")
            captions = ", ".join(word(line.text, without_suffix) for line in lines)
            return [captions + self.options.suffix]
        texts = [word(line.text, self.options) for line in lines]
        return texts[:1] if self.options.embedded == "best" else texts


class OpenedCaptioner(OpenedModel):
    """A captioner whose captions are kept as outputs."""

    def __init__(self, captioner: SearchingCaptioner) -> None:
        self.captioner = captioner

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The one view a captioner has of a picture."""
        return (self.captioner.prepare(image),)

    def run(self, batch: Batch) -> Outputs:
        """Captions of a batch, before any wording."""
        (pixels,) = batch.views
        return Outputs.of_lines(batch.image_ids, self.captioner.caption(pixels))
