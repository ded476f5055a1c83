"""From a run to blend.json and back into a run, with a tiny member."""

import json
from dataclasses import replace

import numpy as np
import pytest
from colour_member import colour_ensemble

from prompt_ensemble.cli.main import main
from prompt_ensemble.core.blend import blend
from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import file_digest
from prompt_ensemble.core.gate import gate_weights
from prompt_ensemble.core.seen_prompts import SeenPrompts
from prompt_ensemble.run.config import MemberConfig, RunConfig, load_config
from prompt_ensemble.run.ensemble import predict
from prompt_ensemble.run.leakage import told_by_filters
from prompt_ensemble.run.preset_files import write_preset
from prompt_ensemble.run.results import write_results
from prompt_ensemble.run.saved_predictions import load_parts
from prompt_ensemble.run.tuned_blend import TunedBlend
from prompt_ensemble.run.use_blend import use_blend

pytestmark = pytest.mark.usefixtures("colour")


@pytest.fixture
def run(photos, tmp_path):
    """A finished run of two members and the truth of its images."""
    prediction = predict(photos, tmp_path / "out", config=colour_ensemble())
    write_results(prediction, tmp_path / "out")
    noise = np.random.default_rng(0).normal(size=(12, EMBEDDING_WIDTH)) / 20
    Embeddings.of(
        prediction.album.image_ids, prediction.members["two"].embeddings.vectors + noise
    ).save(tmp_path / "truth.safetensors")
    return tmp_path


def tune_run(run, *more: str) -> TunedBlend:
    asked = ["tune", str(run / "out"), "--truth", str(run / "truth.safetensors"), "--quiet"]
    (run / "split.json").exists() or split_of_singles(run)
    asked += ["--split", str(run / "split.json"), "--out", str(run / "blend.json"), *more]
    assert main(asked) == 0
    return TunedBlend.load(run / "blend.json")


def split_of_singles(run) -> None:
    from prompt_ensemble.data.splits import Split

    ids = Embeddings.load(run / "truth.safetensors").image_ids
    Split(ids, np.arange(12), np.arange(12) % 3).save(run / "split.json")


def test_a_run_is_tuned_and_the_blend_is_used(run, photos, capsys):
    tuned = tune_run(run)
    assert tuned.weights["two"] > 0.9
    assert "two" in capsys.readouterr().out
    config = use_blend(colour_ensemble(), run / "blend.json")
    again = predict(photos, run / "again", config=config)
    write_results(again, run / "again")
    parts = {name: result.embeddings for name, result in again.members.items()}
    expected = blend(parts, config.blend_weights)
    assert np.array_equal(again.embeddings.vectors, expected.vectors)
    record = json.loads((run / "again" / "run.json").read_text())["members"]["two"]
    assert record["weight"] == tuned.weights["two"]
    assert str(run / "blend.json") in record["weight_from"]


def test_predict_takes_the_tuned_file(run, photos, capsys):
    tune_run(run)
    capsys.readouterr()
    members = (("one", 1), ("two", 2), ("idle", 3))
    table = "".join(
        f'[[members]]\nname = "{name}"\nmodel = "colour"\nbatch_size = 4\noptions.seed = {seed}\n'
        for name, seed in members
    )
    (run / "mine.toml").write_text(table)
    asked = ["predict", str(photos), "--config", str(run / "mine.toml"), "--out", str(run / "o")]
    assert main([*asked, "--blend", str(run / "blend.json"), "--quiet", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["members"]
    assert "idle" not in record
    assert record["two"]["weight"] == TunedBlend.load(run / "blend.json").weights["two"]


def test_a_member_of_an_earlier_run_into_the_folder_is_none_of_this_run(run):
    Embeddings.load(run / "out" / "embeddings" / "one.safetensors").save(
        run / "out" / "embeddings" / "earlier.safetensors"
    )
    assert set(tune_run(run).weights) == {"one", "two"}


def test_a_blend_for_other_members_is_an_error(run):
    tune_run(run)
    other = replace(colour_ensemble(), members=(MemberConfig("twoo", "colour"),))
    with pytest.raises(BadConfig, match="is no member of 'colours'"):
        use_blend(other, run / "blend.json")


def test_the_prior_has_its_share_of_the_blend(photos, tmp_path):
    prior = Embeddings.of(["prior"], np.arange(1.0, EMBEDDING_WIDTH + 1)[None])
    prior.save(tmp_path / "prior.safetensors")
    config = replace(colour_ensemble(), prior=str(tmp_path / "prior.safetensors"), prior_weight=0.5)
    found = predict(photos, tmp_path / "out", config=config)
    parts = {name: result.embeddings for name, result in found.members.items()}
    mixed = 0.75 * parts["one"].vectors + 0.25 * parts["two"].vectors + 0.5 * prior.vectors
    expected = Embeddings.of(parts["one"].image_ids, mixed)
    assert np.allclose(found.embeddings.vectors, expected.vectors, atol=1e-6)


def test_a_share_of_no_prior_is_an_error(photos, tmp_path):
    config = replace(colour_ensemble(), prior_weight=0.5)
    with pytest.raises(BadConfig, match="names no prior"):
        predict(photos, tmp_path / "out", config=config)


def test_a_gate_gives_each_image_weights_of_its_own(photos, tmp_path):
    config = colour_ensemble()
    plain = predict(photos, tmp_path / "plain", config=config)
    parts = {name: result.embeddings for name, result in plain.members.items()}
    from prompt_ensemble.core.gate import Gate

    signal = "one agreement"
    gate = Gate(("one", "two"), (signal,), (0.0,), (0.1,), (0.0, 0.0), ((1.0,), (-1.0,)))
    table = {name: getattr(gate, name) for name in Gate.__dataclass_fields__}
    gated = predict(photos, tmp_path / "gated", config=replace(config, gate=table))
    along = np.einsum("ij,ij->i", parts["one"].vectors, parts["two"].vectors)
    weights = gate_weights(gate, {signal: along.astype(float)})
    assert np.ptp(weights[:, 0]) > 0.01
    mixed = weights[:, :1] * parts["one"].vectors + weights[:, 1:] * parts["two"].vectors
    expected = Embeddings.of(parts["one"].image_ids, mixed)
    assert np.allclose(gated.embeddings.vectors, expected.vectors, atol=1e-5)


def test_images_of_training_folds_are_flagged(run, capsys):
    found = tune_run(run, "--held-out-fold", "0")
    leak = [reason for reason in found.reasons if reason.startswith("LEAK: 8 of 12")]
    assert len(leak) == 1
    assert "training folds of split" in leak[0]


def test_prompts_members_were_trained_on_are_flagged(run):
    truth = Embeddings.load(run / "truth.safetensors")
    truth.take(truth.image_ids[:1]).save(run / "seen.safetensors")
    found = tune_run(run, "--trained-on", str(run / "seen.safetensors"))
    assert any(reason.startswith("LEAK: ") for reason in found.reasons)


def test_a_leak_names_the_members_whose_training_digest_it_is(run):
    seen = run / "seen.safetensors"
    truth = Embeddings.load(run / "truth.safetensors")
    truth.take(truth.image_ids[:1]).save(seen)
    record = json.loads((run / "out" / "run.json").read_text())
    record["members"]["two"]["identity"]["predictor"]["trained_on"] = file_digest(seen)
    (run / "out" / "run.json").write_text(json.dumps(record))
    assert any(reason.startswith("NOT CHECKED: two") for reason in tune_run(run).reasons)
    (leak,) = [one for one in tune_run(run, "--trained-on", str(seen)).reasons if "LEAK" in one]
    assert "which taught two" in leak


def test_predictions_without_truth_are_an_error(run, capsys):
    truth = Embeddings.load(run / "truth.safetensors")
    truth.take(truth.image_ids[:-1]).save(run / "truth.safetensors")
    asked = ["tune", str(run / "out"), "--truth", str(run / "truth.safetensors")]
    assert main([*asked, "--out", str(run / "b.json")]) == 1
    assert "1 predicted images have no truth, first 'photo11'" in capsys.readouterr().err


def test_a_tuned_ensemble_is_written_as_a_preset_that_runs(run, photos):
    tuned = tune_run(run, "--preset-out", str(run / "mine.toml"))
    asked = ["predict", str(photos), "--config", str(run / "mine.toml"), "--quiet"]
    assert main([*asked, "--out", str(run / "again")]) == 0
    record = json.loads((run / "again" / "run.json").read_text())["members"]
    kept = {name: weight for name, weight in tuned.weights.items() if weight}
    assert {name: member["weight"] for name, member in record.items()} == kept
    assert record["two"]["config"]["options"]["seed"] == 2


def test_a_preset_is_read_as_it_was_written(tmp_path):
    options = {"views": ["plain", 'a "flip"'], "nearest": 3, "on": True, "power": 0.5}
    members = (MemberConfig("ä", "colour", "w/x", 0.25, 8, options), MemberConfig("b", "colour"))
    config = RunConfig("mine", members, "ours", prior="p", gate={"members": ["ä"], "base": [0.1]})
    write_preset(tmp_path / "mine.toml", config)
    assert load_config(tmp_path / "mine.toml") == config


@pytest.fixture
def halves(photos, tmp_path):
    """Two runs of one ensemble over half of the images each."""
    for name, images in (("a", sorted(photos.iterdir())[:6]), ("b", sorted(photos.iterdir())[6:])):
        prediction = predict(images, tmp_path / name, config=colour_ensemble())
        write_results(prediction, tmp_path / name)
    return [tmp_path / "a", tmp_path / "b"]


def test_runs_that_share_a_member_are_joined(run, halves):
    joined, whole = load_parts(halves), load_parts([run / "out"])
    for name, part in whole.items():
        assert np.allclose(joined[name].take(part.image_ids).vectors, part.vectors, atol=1e-5)


def test_runs_over_the_same_images_count_once(run):
    assert len(load_parts([run / "out", run / "out"])["one"]) == 12


def test_members_of_one_name_that_differ_are_refused(photos, run):
    other = replace(colour_ensemble(), members=(MemberConfig("one", "colour", batch_size=4),))
    write_results(predict(photos, run / "other", config=other), run / "other")
    with pytest.raises(BadConfig, match="come from different members"):
        load_parts([run / "out", run / "other"])


def test_weights_tuned_across_two_runs_are_used_by_one(photos, run):
    third = MemberConfig("three", "colour", batch_size=4, options={"seed": 3})
    prediction = predict(photos, run / "third", config=RunConfig("third", (third,)))
    write_results(prediction, run / "third")
    tune_run(run, str(run / "third"), "--preset-out", str(run / "all.toml"))
    asked = ["predict", str(photos), "--config", str(run / "all.toml"), "--quiet"]
    assert main([*asked, "--blend", str(run / "blend.json"), "--out", str(run / "again")]) == 0


THINGS = (
    "cat dog house ship forest robot castle river portrait galaxy bicycle cake".split()  # noqa: SIM905
)


def with_prompts(run, trained_on: list[str]) -> None:
    """A truth with texts, and a filter of what member two was trained on."""
    ids = Embeddings.load(run / "truth.safetensors").image_ids
    rows = [
        f"{image_id},a picture of a {thing}" for image_id, thing in zip(ids, THINGS, strict=True)
    ]
    (run / "prompts.csv").write_text("\n".join(["imgId,prompt", *rows]) + "\n")
    SeenPrompts.of(trained_on).save(run / "out" / "trained_on" / "two.safetensors")


@pytest.mark.parametrize("verb", ["tune", "evaluate"])
def test_a_leak_is_the_headline_without_being_asked_for(run, capsys, verb):
    with_prompts(run, ["a picture of a ship", "A  picture of a RIVER", "something else"])
    out = run / ("leaky.json" if verb == "tune" else "page")
    asked = [verb, str(run / "out"), "--truth", str(run / "prompts.csv"), "--out", str(out)]
    assert main([*asked, "--quiet"]) == 0
    headline = capsys.readouterr().out.splitlines()[0]
    assert headline.startswith("LEAK: two was trained on 2 of these 12 prompts, first that of 'ph")
    if verb == "evaluate":
        assert "LEAK: two was trained on 2" in (out / "report.html").read_text()


def test_where_there_is_no_leak_it_is_said(run):
    with_prompts(run, ["something else"])
    sentences = told_by_filters([run / "out"], ["photo03"], {"photo03": "a picture of photo03"})
    assert sentences == ["none of these 1 prompts is among the 1 that two was trained on"]


def test_a_truth_without_texts_cannot_be_compared_and_says_so(run):
    with_prompts(run, ["something else"])
    (sentence,) = told_by_filters([run / "out"], ["photo03"], {})
    assert sentence.startswith("NOT CHECKED")
