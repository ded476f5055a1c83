"""A captioner of our own as a member: alone and in a batch, on pixels and on others' features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_language_model import ROWS, save_gpt2
from tiny_language_model import spec as language_model_spec
from tiny_tower import NAME, save_tiny_tower
from tiny_writer import PREPROCESSING, TEXTS, tiny_spec

from prompt_ensemble import load_ensemble
from prompt_ensemble.cli.main import main
from prompt_ensemble.core.errors import BadConfig, PromptEnsembleError
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.members.captioners.layouts import captioner_kind
from prompt_ensemble.members.captioners.trained_captioner import TrainedCaptionerPredictor
from prompt_ensemble.members.contract import Batch
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.image_towers.image_tower import TowerSpec, build_tower, load_backbones
from prompt_ensemble.models.regressor.head import HeadSpec, build_head
from prompt_ensemble.models.regressor.network import Regressor
from prompt_ensemble.models.regressor.regressor_folder import RegressorCard, save_regressor
from prompt_ensemble.models.text_decoder.captioner import Captioner, CaptionerCard, save_captioner
from prompt_ensemble.models.text_decoder.vocabulary import learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces, PublishedPieces
from prompt_ensemble.models.transformers_folders import load_tokenizer
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig, RunConfig

CPU = Placement(torch.device("cpu"), torch.float32)
SPEC = TowerSpec("timm", NAME, "tower")
FEATURES = 64
SHORT = {"max_length": 12}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Captioners ``pooled``, ``map``, ``recurrent`` and ``gpt2``, and a regressor ``mine``."""
    roots = save_tiny_tower(tmp_path / "weights")
    save_one(tmp_path / "weights" / "pooled")
    save_one(tmp_path / "weights" / "map", cells=2)
    save_one(tmp_path / "weights" / "recurrent", kind="recurrent")
    save_one(tmp_path / "weights" / "gpt2", kind="language-model")
    tower, head = build_tower(SPEC), HeadSpec("linear", FEATURES)
    load_backbones(tower, SPEC, roots)
    save_regressor(
        Regressor(tower, build_head(head)).eval(), RegressorCard(SPEC, head, PREPROCESSING),
        tmp_path / "weights" / "mine",
    )  # fmt: skip
    return tmp_path / "weights"


def save_one(folder: Path, kind: str = "transformer", cells: int = 0) -> None:
    """Weights are drawn wide, so that captions differ between images."""
    if kind == "language-model":
        published = load_tokenizer(save_gpt2(folder.with_suffix(".published")))
        words, spec = PublishedPieces(published, ROWS), language_model_spec()
    else:
        tokenizer = learn_vocabulary(TEXTS, 120)
        words, spec = OwnPieces(tokenizer), tiny_spec(tokenizer, kind)
    card = CaptionerCard(SPEC, PREPROCESSING, spec, FEATURES, cells, rows=2)
    captioner = Captioner(card)
    generator = torch.Generator().manual_seed(3)
    for name, tensor in captioner.state_dict().items():
        if "norm" not in name and "ln_" not in name:
            tensor.normal_(0, 0.6, generator=generator)
    save_captioner(captioner, words, card, folder)


@pytest.fixture
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=generator)


def member(root: Path, name: str, **options: object) -> TrainedCaptionerPredictor:
    settings = TrainedCaptionerPredictor.Options(**{**SHORT, **options})  # type: ignore[arg-type]
    return TrainedCaptionerPredictor(name, settings, WeightRoots((root,)))


def said(root: Path, name: str, pictures: torch.Tensor) -> list[Line]:
    opened = member(root, name).open(CPU)
    ids = tuple(map(str, range(len(pictures))))
    with torch.inference_mode():
        return [lines[0] for lines in opened.run(Batch(ids, (pictures,))).lines]


def features_of(root: Path, pictures: torch.Tensor) -> np.ndarray:
    tower = build_tower(SPEC)
    load_backbones(tower, SPEC, WeightRoots((root,)))
    with torch.inference_mode():
        return tower.eval()(PREPROCESSING.normalise(pictures)).numpy()


def said_of(root: Path, rows: np.ndarray | None, count: int, name: str = "pooled") -> list[str]:
    """Captions of features that a member ``other`` is supposed to have kept."""
    opened = member(root, name, features_from="other").open(CPU)
    ids = tuple(map(str, range(count)))
    kept = Outputs.of_vectors(ids, np.zeros((count, 384)), rows)
    with torch.inference_mode():
        lines = opened.run(Batch(ids, needed={"other": kept})).lines
    return [best.text for best, *_ in lines]


@pytest.mark.parametrize("name", ["pooled", "map", "recurrent", "gpt2"])
def test_an_image_is_captioned_alone_as_in_a_batch(
    root: Path, pictures: torch.Tensor, name: str
) -> None:
    together = said(root, name, pictures)
    alone = [said(root, name, pictures[row : row + 1])[0] for row in range(len(pictures))]
    assert [line.text for line in alone] == [line.text for line in together]
    assert np.allclose(scores(alone), scores(together), atol=1e-3)
    assert len({line.text for line in together}) > 1


def scores(lines: Sequence[Line]) -> list[float]:
    return [line.score for line in lines]


def test_features_of_another_member_say_what_pixels_say(root: Path, pictures: torch.Tensor) -> None:
    from_pixels = [line.text for line in said(root, "pooled", pictures)]
    assert said_of(root, features_of(root, pictures), len(pictures)) == from_pixels


def test_features_that_were_not_kept_are_one_clear_line(root: Path) -> None:
    with pytest.raises(BadConfig, match="keep_features = true") as caught:
        said_of(root, None, 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pooled", "map"])
def test_features_of_another_tower_are_one_clear_line(root: Path, name: str) -> None:
    with pytest.raises(BadConfig, match="keeps 63 features an image, the captioner was trained on"):
        said_of(root, np.zeros((2, 63), np.float32), 2, name)


def config(**options: object) -> RunConfig:
    regressor = MemberConfig("mine", "regressor", "mine", 1.0, options={"keep_features": True})
    captioner = MemberConfig("words", "captioner", "pooled", 1.0, options={**SHORT, **options})
    return RunConfig("both", (regressor, captioner))


def test_in_an_ensemble_the_tower_runs_once_for_both(root: Path, photos: Path) -> None:
    with load_ensemble(config(), weights=root, device="cpu") as ensemble:
        looking = ensemble.embed(photos)
    with load_ensemble(config(features_from="mine"), weights=root, device="cpu") as ensemble:
        told = ensemble.embed(photos)
    assert np.allclose(looking.vectors, told.vectors, atol=1e-4)


def test_a_member_that_takes_features_captions_when_it_is_asked(root: Path, photos: Path) -> None:
    with load_ensemble(config(), weights=root, device="cpu") as ensemble:
        looking = ensemble.caption(photos)
    with load_ensemble(config(features_from="mine"), weights=root, device="cpu") as ensemble:
        assert ensemble.caption(photos) == looking
    assert len(looking) == 12


def test_its_folder_tells_its_kind(root: Path) -> None:
    assert captioner_kind(root / "pooled") == "captioner"


def test_the_command_finds_it(root: Path, photos: Path, capsys: pytest.CaptureFixture) -> None:
    common = ["caption", str(photos), "--weights", str(root), "--device", "cpu"]
    assert main([*common, "--model", "pooled", "--set", "max_length=12"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [f"photo{n:02}" for n in range(12)]


def test_the_command_has_no_other_member_to_take_features_from(
    root: Path, photos: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["caption", str(photos), "--weights", str(root), "--device", "cpu"]
    arguments += ["--model", "pooled", "--set", "features_from=mine", "--quiet"]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs the outputs of 'mine'" in line


def test_captions_fit_a_decoder_of_few_positions(root: Path) -> None:
    options = TrainedCaptionerPredictor.Options()
    whole = TrainedCaptionerPredictor("pooled", options, WeightRoots((root,)))
    assert whole.generation.max_length == whole.card.decoder.longest


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("decoder", {"width": 2**30}, "width"),
        ("decoder", {"vocabulary": 2**34}, "too few for the network"),
        ("tower", {"config": {"auto_map": {"AutoModel": "code.py"}}}, "asks for code"),
        ("tower", {"backbone": "nowhere"}, "nowhere"),
    ],
)
def test_a_description_that_cannot_be_is_one_clear_line(
    root: Path, part: str, change: dict[str, object], message: str
) -> None:
    file = root / "pooled" / "captioner.json"
    card = json.loads(file.read_text())
    card[part] |= change
    file.write_text(json.dumps(card))
    with pytest.raises(PromptEnsembleError, match=message) as caught:
        member(root, "pooled").open(CPU)
    assert "\n" not in str(caught.value)
