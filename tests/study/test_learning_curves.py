"""Learning curves from run folders."""

import json

from prompt_ensemble.study.learning_curves import learning_curve


def test_steps_become_images_seen(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps({"recipe": {"batch_size": 8}, "pairs_sha256": "abc"})
    )
    lines = [{"step": 10, "loss": 2.0}, {"step": 20, "loss": 1.5, "held_out": 0.3}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = learning_curve(tmp_path / "captioner")
    assert (found.images_seen, found.pairs) == (160, "abc")
    assert found.noted == {"loss": ((80, 2.0), (160, 1.5)), "held_out": ((160, 0.3),)}


def test_a_captioner_from_elsewhere_has_none(tmp_path):
    assert learning_curve(tmp_path / "captioner") is None
