"""Notes of a training run, and their plot."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.training.journal import Journal


def test_journal_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (10, 20, 30):
        journal.note(step=step, loss=1 / step)
    with journal.file.open("a") as file:
        file.write('{"step": 4')  # cut off by an interrupt
    journal.forget_after(20)
    assert [note["step"] for note in journal.notes()] == [10, 20]


def test_the_plot_has_a_panel_for_each_number(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (10, 20, 30):
        journal.note(step=step, loss=1 / step)
    journal.note(step=30, validation=0.5)
    journal.draw()
    plot = journal.plot.read_text()
    assert plot.startswith("<svg")
    assert all(text in plot for text in (">loss<", ">validation<", ">step<", ">last 0.5<"))
