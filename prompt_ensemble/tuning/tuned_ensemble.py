"""The ensemble of all members that finished runs hold, from the runs' records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.run.config import MemberConfig, RunConfig, check_members
from prompt_ensemble.run.saved_predictions import read_record


def ensemble_of(runs: Iterable[Path], name: str, prior: str | None = None) -> RunConfig:
    """All members of all runs, each once, in the order of the runs."""
    members: dict[str, MemberConfig] = {}
    priors: list[str] = []
    for run in runs:
        record = read_record(run)
        priors.append(str(record.get("prior") or ""))
        listed = record.get("members", {})
        for member, entry in listed.items():
            if "config" not in entry:
                raise BadConfig(
                    f"{run / 'run.json'} does not say how member {member!r} was configured, so no "
                    "preset can be written; run 'predict' again with this version"
                )
            where = f"{run / 'run.json'}, member {member!r}"
            members.setdefault(member, from_table(MemberConfig, entry["config"], where))
        if not listed:
            raise BadConfig(f"{run} is no finished run, so no preset can be written of it")
    check_members(tuple(members.values()), "the runs")
    chosen = prior or next(filter(None, priors), "")
    return RunConfig(name, tuple(members.values()), prior=chosen)
