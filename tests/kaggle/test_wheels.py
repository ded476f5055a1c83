"""What pip would install beside our wheel is what has to be brought along."""

from prompt_ensemble.kaggle.wheels import pinned


def test_requirements_are_pinned_and_ours_is_none_of_them():
    named = [("open_clip_torch", "3.3.0"), ("prompt-ensemble", "0.1.0"), ("clip-interrogator", "1")]
    report = {"install": [{"metadata": {"name": n, "version": v}} for n, v in named]}
    assert pinned(report) == ["clip-interrogator==1", "open_clip_torch==3.3.0"]
