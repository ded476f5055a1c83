"""``plan``: what a run would take, before it is begun."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.run.plan import Expected


@click.command("plan")
@options.images
@options.ensemble
@click.option(
    "--count", type=click.IntRange(min=1), help="Images of the run [default: as many as IMAGES]."
)
@click.option("--deadline", metavar="8h30m", help="Say whether the run would end by then.")
@options.running
@options.as_json
def command(
    images: tuple[Path, ...],
    preset: str,
    config: Path | None,
    count: int | None,
    deadline: str | None,
    weights: tuple[Path, ...],
    device: str,
    precision: str,
    workers: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure every member on a few of IMAGES and say what all of them, or COUNT, would take."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.images.find import find_images
    from prompt_ensemble.run.deadline import parse_duration
    from prompt_ensemble.run.ensemble import load_ensemble
    from prompt_ensemble.run.plan import images_to_measure, plan

    until = parse_duration(deadline) if deadline else None
    files = find_images(images)
    with load_ensemble(
        config or preset, weights=weights, device=device, precision=precision, workers=workers,
        progress=silent if quiet else bar, memory_budget=0,
    ) as ensemble:  # fmt: skip
        few = images_to_measure(ensemble.members)
        costs = plan(ensemble, files[:few])
    wanted = count or len(files)
    click.echo(as_record(costs, wanted) if as_json else summary(costs, wanted, until))
    if len(files) < few and not as_json:
        click.echo(f"measured on {len(files)} images, warming up included; {few} tell more truly")


def as_record(costs: list[Expected], images: int) -> str:
    """For a program."""
    members = [asdict(one) | {"seconds": round(one.seconds(images), 1)} for one in costs]
    total = round(sum(one.seconds(images) for one in costs), 1)
    return json.dumps({"images": images, "members": members, "seconds": total})


def summary(costs: list[Expected], images: int, until: float | None) -> str:
    """A line a member, the sum, and whether it is in time."""
    rows = [f"{'member':<20}{'load s':>9}{'images/s':>10}{'peak MB':>9}{'total':>10}"]
    for one in costs:
        rate = 1 / one.seconds_per_image if one.seconds_per_image else float("inf")
        peak = one.peak_memory // 1_000_000
        time = spoken(one.seconds(images))
        rows.append(f"{one.member:<20}{one.load_seconds:>9.1f}{rate:>10.2f}{peak:>9}{time:>10}")
    total = sum(one.seconds(images) for one in costs)
    rows.append(f"{images} images, one member after another: {spoken(total)}")
    if until is not None:
        verdict = "is enough" if total <= until else "is too short: some members would be left out"
        rows.append(f"a deadline of {spoken(until)} {verdict}")
    return "\n".join(rows)


def spoken(seconds: float) -> str:
    """Hours, minutes and seconds, the two that matter."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"
