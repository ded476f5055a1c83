"""Members of an ensemble: configured, their weights found but not loaded, in the order of needs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from prompt_ensemble.core.errors import BadConfig, MissingWeights, nearest_name
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.members.contract import Predictor
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig, RunConfig, load_preset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A configured member, its weights found but not loaded."""

    config: MemberConfig
    predictor: Predictor

    @property
    def name(self) -> str:
        """The name under which the configuration and the store know it."""
        return self.config.name

    @cached_property
    def identity(self) -> Mapping[str, object]:
        """All that changes the outputs; files are digested once, not once a call."""
        return self.predictor.identity()


def open_ensemble(config: RunConfig, roots: WeightRoots) -> tuple[RunConfig, list[Member]]:
    """The ensemble and its members, or, loudly, the preset that it names as its substitute."""
    try:
        return config, open_members(config, roots)
    except MissingWeights as error:
        if not config.otherwise:
            raise
        log.warning(
            "preset %r cannot run, %r takes its place: %s", config.name, config.otherwise, error
        )
        return open_ensemble(load_preset(config.otherwise), roots)


def open_members(config: RunConfig, roots: WeightRoots) -> list[Member]:
    """Every member with its weights found, those that others need before those that need them."""
    members = [make_member(member, roots) for member in config.members]
    by_name = {member.name: member for member in members}
    for member in members:
        for need in member.predictor.needs():
            if need not in by_name:
                raise BadConfig(
                    f"member {member.name!r} needs the outputs of {need!r}, which is no member; "
                    f"{nearest_name(need, list(by_name))}"
                )
    return _sorted_by_need(by_name)


def _sorted_by_need(by_name: Mapping[str, Member]) -> list[Member]:
    """The members in their order, except that needed ones come first."""
    from graphlib import CycleError, TopologicalSorter

    graph = {name: member.predictor.needs() for name, member in by_name.items()}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise BadConfig(f"members need each other in a circle: {error.args[1]}") from error


def without_idle(members: Sequence[Member], config: RunConfig) -> list[Member]:
    """The members without those that have no weight and are needed by none.

    A gate needs them all, and so do words, of which anything that a member says may be a candidate.
    """
    if config.gate or config.words:
        return list(members)
    wanted = set(config.blend_weights)
    for member in reversed(members):
        if member.name in wanted:
            wanted.update(member.predictor.needs())
    return [member for member in members if member.name in wanted]


def make_predictor(member: MemberConfig, roots: WeightRoots) -> Predictor:
    """A member's predictor, its options checked and its weights found."""
    kind = predictor_class(member.model)
    options = from_table(kind.Options, member.options, f"options of member {member.name!r}")
    return kind(member.weights, options, roots)


def make_member(config: MemberConfig, roots: WeightRoots) -> Member:
    """A configured member, its weights found."""
    return Member(config, make_predictor(config, roots))
