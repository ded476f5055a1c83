"""The command. A child does the work and is replaced when a check takes it down with it.

    python -m benchmarks.gpu_check --out DIR [--right-only] [--device cpu] [--minutes 8]

The parent needs neither torch nor a card: it holds the clock, and writes what the child reports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks.gpu_check.checks import BAD, BROKEN, LATE, NOT_RUN, Check, Row, Steps, run_checks
from benchmarks.gpu_check.table import MARKDOWN, figures, write_report

ROOT = Path(__file__).parents[2]
REPORTS = "reports.jsonl"
GRACE = 5.0
"""Seconds after the end until a child that has not stopped by itself is killed."""


@dataclass
class Report:
    """What children have reported so far."""

    machine: Mapping[str, str] = field(default_factory=dict)
    checks: list[tuple[str, str]] = field(default_factory=list)
    begun: int = 0
    """Checks begun; the last of them may have been cut short."""
    rows: list[Row] = field(default_factory=list)


def arguments_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the table and the JSON")
    parser.add_argument("--right-only", action="store_true", help="no timings")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1 or cpu; the card if any")
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything")
    parser.add_argument("--toy", action="store_true", help="timings of tiny models; so on a CPU")
    parser.add_argument("--only", nargs="+", metavar="CHECK", help="names of checks")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--skip", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--ends", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> int:
    arguments = arguments_of()
    return child(arguments) if arguments.child else parent(arguments)


def child(arguments: argparse.Namespace) -> int:
    """Do the checks, telling each row as soon as it is known."""
    from benchmarks.gpu_check import fast, right
    from benchmarks.gpu_check.models import Settings, describe_machine, settle

    settings: Settings = settle(arguments.device, arguments.toy, arguments.child)
    checks = [*right.checks(settings), *([] if arguments.right_only else fast.checks(settings))]
    checks = [check for check in checks if not arguments.only or check.name in arguments.only]
    with (arguments.child / REPORTS).open("a", encoding="utf-8", buffering=1) as file:

        def tell(**message: object) -> None:
            file.write(json.dumps(message) + "\n")

        tell(machine=describe_machine(settings), checks=[(c.part, c.name) for c in checks])
        for row in run_checks(announced(checks, tell)[arguments.skip :], arguments.ends):
            tell(row=asdict(row))
    return 0


def announced(checks: Sequence[Check], tell: Callable[..., None]) -> list[Check]:
    """The checks, each of which tells that it begins."""

    def begin(number: int, check: Check) -> Steps:
        tell(begun=number)
        return check.steps()

    return [
        replace(check, steps=partial(begin, number, check))
        for number, check in enumerate(checks, 1)
    ]


def parent(arguments: argparse.Namespace) -> int:
    """Children until all checks are done or the time is up; then the report."""
    ends = time.monotonic() + 60 * arguments.minutes
    with tempfile.TemporaryDirectory() as temporary:
        report = run_children(Path(temporary), ends)
    write_report(arguments.out, report.machine, report.rows)
    for row in report.rows:
        if row.outcome in BAD:
            print(f"{row.outcome}: {row.check}, {row.what}: {figures(row)}", file=sys.stderr)
    print(arguments.out / MARKDOWN)
    nothing = all(row.outcome in (NOT_RUN, LATE) for row in report.rows)
    return int(nothing or any(row.outcome in BAD for row in report.rows))


def run_children(folder: Path, ends: float) -> Report:
    """One child after another, each beginning behind the check that ended the last."""
    report = Report()
    while True:
        before = report.begun
        ended = run_child(folder, before, ends)
        report = listen(folder)
        if ended == 0:
            return report
        names = report.checks[max(report.begun, 1) - 1 :] or [("gpu-check", "start")]
        if ended is None:
            report.rows += [Row(part, name, "", LATE) for part, name in names]
            return report
        crash = Row(*names[0], "", BROKEN, f"the process ended with code {ended}")
        with (folder / REPORTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"row": asdict(crash)}) + "\n")
        if report.begun == before:  # before its first check, so another would as well
            return listen(folder)


def run_child(folder: Path, skip: int, ends: float) -> int | None:
    """How a child ended; None if it had to be killed."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", *sys.argv[1:]]
    command += ["--child", str(folder), "--skip", str(skip), "--ends", str(ends)]
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part)
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
    try:
        return process.wait(max(0.0, ends - time.monotonic()) + GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def listen(folder: Path) -> Report:
    """All that has been reported since the beginning."""
    report = Report()
    file = folder / REPORTS
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        message = json.loads(line)
        if "row" in message:
            report.rows.append(Row(**message["row"]))
        elif "begun" in message:
            report.begun = message["begun"]
        else:
            report.machine = message["machine"]
            report.checks = [(part, name) for part, name in message["checks"]]
    return report


if __name__ == "__main__":
    sys.exit(main())
