"""Tuning as a whole: what it decides, what it says, and that no score is in-sample."""

import numpy as np
import pytest
from synthetic_members import known_optimum, noisy_members

from prompt_ensemble.core.blend import PRIOR
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.splits import k_folds
from prompt_ensemble.run.tuned_blend import TunedBlend
from prompt_ensemble.tuning.tune import tune


def tuned(parts, truth, groups=None, **more) -> TunedBlend:
    groups = np.arange(len(truth)) if groups is None else groups
    return tune(parts, truth, groups, k_folds(groups, 5), **more)


@pytest.fixture(scope="module")
def uneven() -> TunedBlend:
    return tuned(*noisy_members([1.0, 1.5, 6.0]))


def test_members_of_different_worth_get_tuned_weights(uneven):
    assert uneven.chosen == "tuned"
    assert uneven.weights["m0"] > uneven.weights["m1"] > uneven.weights["m2"]
    assert sum(uneven.weights.values()) == pytest.approx(1)
    assert uneven.over_best_single.beyond_noise
    assert any("beats the best single member" in reason for reason in uneven.reasons)


def test_a_gain_within_noise_keeps_equal_weights_and_says_so():
    parts, truth = noisy_members([2.0, 2.0, 2.0], images=60)
    blend = tuned(parts, truth)
    assert blend.chosen == "equal weights"
    assert set(blend.weights.values()) == {1 / 3}
    assert any("within noise, equal weights stays" in reason for reason in blend.reasons)


def test_few_groups_prove_nothing_however_large_the_gain():
    parts, truth = noisy_members([0.3, 9.0], images=8)
    blend = tuned(parts, truth)
    assert blend.chosen == "equal weights"
    assert any("8 groups are too few to believe it" in reason for reason in blend.reasons)


def test_when_blending_is_of_no_use_it_is_said():
    parts, truth = noisy_members([0.3, 40.0], images=100)
    blend = tuned(parts, truth)
    assert any("does not beat the best single member" in reason for reason in blend.reasons)


def test_losses_are_largest_for_the_member_that_matters_most(uneven):
    losses = {name: member.loss_without.mean for name, member in uneven.members.items()}
    assert losses["m0"] > losses["m1"] > losses["m2"]
    assert losses["m0"] > 0.05


def test_a_lucky_choice_among_noise_does_not_show_in_the_held_out_score():
    random = np.random.default_rng(0)
    truth = unit_rows(random.normal(size=(40, EMBEDDING_WIDTH)))
    ids = tuple(f"{n}" for n in range(40))
    members = {f"m{k}": Embeddings.of(ids, random.normal(size=truth.shape)) for k in range(12)}
    blend = tuned(members, Embeddings(ids, truth))
    assert blend.methods["tuned"].held_out.mean < 0.01
    assert blend.methods["tuned"].held_out.low < 0 < blend.methods["tuned"].held_out.high


def test_folds_that_cut_a_group_are_caught():
    parts, truth = noisy_members([1.0, 2.0], images=50)
    planted = Embeddings(truth.image_ids, truth.vectors[np.r_[0:49, 0]])
    groups = np.r_[0:49, 0]
    with pytest.raises(BadConfig, match="near-duplicate prompts lie in more than one fold"):
        tune(parts, planted, groups, np.arange(50) % 5)


def test_a_share_of_the_prior_is_taken_where_it_helps():
    random = np.random.default_rng(0)
    mean = random.normal(size=EMBEDDING_WIDTH)
    truth = unit_rows(random.normal(size=(300, EMBEDDING_WIDTH)) + mean)
    ids = tuple(f"i{n}" for n in range(300))
    shy = truth - 0.7 * unit_rows(mean[None])
    parts = {
        f"m{k}": Embeddings.of(ids, shy + random.normal(size=truth.shape) / 15) for k in range(2)
    }
    prior = Embeddings.of(["prior"], mean[None])
    blend = tuned(parts, Embeddings(ids, truth), prior=prior)
    assert blend.chosen.startswith(("tuned with prior", "gate"))
    assert blend.methods["tuned with prior"].weights[PRIOR] > 0.2
    plain = blend.methods["equal weights"].held_out.mean
    assert blend.methods["tuned with prior"].held_out.mean > plain + 0.05


def test_a_gate_wins_where_members_know_when_they_are_sure():
    random = np.random.default_rng(1)
    truth = unit_rows(random.normal(size=(800, EMBEDDING_WIDTH)))
    ids = tuple(f"i{n:03}" for n in range(800))
    sure = random.random(800)
    noise = random.normal(size=(2, 800, EMBEDDING_WIDTH)) / 12
    parts = {
        "left": Embeddings.of(ids, truth + noise[0] * (3 - 2.9 * sure[:, None])),
        "right": Embeddings.of(ids, truth + noise[1] * (0.1 + 2.9 * sure[:, None])),
    }
    blend = tuned(parts, Embeddings(ids, truth), signals={"left score": sure})
    assert blend.chosen == "gate"
    assert blend.gate is not None
    assert "left score" in blend.gate.signals
    gain = blend.held_out.mean - blend.methods["tuned"].held_out.mean
    assert gain > 0.02


def test_blend_json_comes_back_as_it_was_written(tmp_path, uneven):
    uneven.save(tmp_path / "blend.json")
    again = TunedBlend.load(tmp_path / "blend.json")
    assert again == uneven
    assert set(again.correlations["m0"]) == {"m0", "m1", "m2"}
    assert again.similarities["m1"]["m1"] == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1, "wieghts": {}}'])
def test_anything_else_is_no_tuned_blend(tmp_path, text):
    (tmp_path / "blend.json").write_text(text)
    with pytest.raises(BadConfig):
        TunedBlend.load(tmp_path / "blend.json")


def test_the_digest_tells_validation_sets_apart():
    parts, truth = noisy_members([1.0, 2.0], images=40)
    whole = tuned(parts, truth)
    assert whole.validation.digest == tuned(parts, truth).validation.digest
    turned = Embeddings(truth.image_ids, -truth.vectors)
    assert whole.validation.digest != tuned(parts, turned).validation.digest


def test_one_member_is_a_blend_too():
    parts, truth = noisy_members([1.0], images=40)
    assert tuned(parts, truth).weights == {"m0": 1.0}


def test_tuning_twice_gives_the_same(uneven):
    assert tuned(*noisy_members([1.0, 1.5, 6.0])) == uneven


def test_the_held_out_score_of_a_known_optimum_is_near_it():
    parts, truth, _, best = known_optimum(5)
    blend = tuned(parts, truth)
    assert blend.methods["tuned"].held_out.mean == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_the_last_bits_of_another_processor_change_no_weight(seed):
    parts, truth = noisy_members([1.0, 1.2, 2.5, 6.0], images=120, seed=seed)
    random = np.random.default_rng(seed)
    elsewhere = {
        name: Embeddings.of(
            part.image_ids, part.vectors * (1 + 1e-7 * random.normal(size=part.vectors.shape))
        )
        for name, part in parts.items()
    }
    here, there = tuned(parts, truth), tuned(elsewhere, truth)
    assert here.weights == there.weights
    assert here.chosen == there.chosen
