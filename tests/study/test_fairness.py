"""What makes a comparison unfair."""

from pathlib import Path

from corner_captioner import encode

from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import Pair, Pairs
from prompt_ensemble.study.fairness import doubts
from prompt_ensemble.study.learning_curves import LearningCurve
from prompt_ensemble.study.material import gather, images_of

ROWS = (Pair(Path("1.png"), "red wall", "", "A"), Pair(Path("2.png"), "blue car", "", "A"))
MATERIAL = gather(images_of(Pairs(ROWS, "")), encode)


def curve(images: int, pairs: str = "abc") -> LearningCurve:
    return LearningCurve(8, pairs, {"loss": ((images, 1.0),)})


def test_a_captioner_that_knows_the_prompts_is_named(tmp_path):
    for name, prompt in (("knows", "blue car"), ("other", "green tree")):
        SeenPrompts.of([prompt]).save(tmp_path / name / TRAINED_ON)
    paths = {name: tmp_path / name for name in ("knows", "other", "untold")}
    (told,) = doubts(MATERIAL, paths, {})
    assert told.startswith("LEAK: knows was trained on 1 of these 2 prompts")


def test_trainings_that_saw_less_or_others_are_told():
    alike = {"a": curve(800), "b": curve(800)}
    assert doubts(MATERIAL, {}, alike) == ()
    fewer, others = doubts(MATERIAL, {}, {**alike, "c": curve(1600, "def")})
    assert "c 1,600" in fewer
    assert "listings" in others
