"""One look for the commands of ``eksnetpol policy``: what there is to think about, and under which assumptions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.config import Config
from eksnetpol.cli.look import look as look_at
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import EksNetpolError, UsageError
from eksnetpol.model.snapshot import SourceKind, Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eksnetpol.facts.declare import Lookup
    from eksnetpol.model.problems import Problem
    from eksnetpol.model.settings import PolicySettings
    from eksnetpol.model.snapshot import ClusterSnapshot
    from eksnetpol.policy.profile import Profile
    from eksnetpol.policy.world import World

_NEEDED = {"network_policies": "NetworkPolicies", "pods": "pods", "namespaces": "namespaces"}


@dataclass(frozen=True)
class PolicyLook:
    """What was looked at. ``problems`` are what is malformed, and left out; ``notes`` what the profile assumes."""

    snapshot: ClusterSnapshot
    world: World
    profile: Profile
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    is_strict: bool = False
    """Whether nothing malformed is to be taken (``--strict-input``)."""

    @property
    def title(self) -> str:
        """What to call the cluster; empty for files, which are no cluster."""
        return "" if self.world.source is SourceKind.MANIFESTS else self.snapshot.target.title


def look(config: Config, terminal: Terminal, *, whole: bool = False) -> PolicyLook:
    """Return one look at what *config* means, with what it is to mean.

    Says on stderr what is malformed, what could not be read, and at ``-v`` what is assumed. Raises as `cli.look.look` does, and
    as `said` does.
    """
    context = click.get_current_context(silent=True)
    command = context.command_path if context else "eksnetpol policy"
    problems: list[Problem] = []
    snapshot = look_at(config, terminal, command, problems.append)
    return said(looked(snapshot, config, problems), terminal, whole=whole)


def said(made: PolicyLook, terminal: Terminal, *, whole: bool = False) -> PolicyLook:
    """Return *made*, having said what is malformed, what could not be read and, at ``-v``, what is assumed.

    Raises `UsageError` for what is malformed under ``--strict-input``, and, where the *whole* is asked for, `EksNetpolError` when
    pods, namespaces or policies of a cluster are unread: without them all would look open, or not be there.
    """
    for problem in sorted(made.problems, key=_by_line):
        terminal.say(str(problem))
    if made.problems:
        where = {(problem.place.rpartition(":")[0] or problem.place, problem.subject) for problem in made.problems}
        things = "1 document or object is" if len(where) == 1 else f"{len(where)} documents or objects are"
        if made.is_strict:
            raise UsageError(f"{things} malformed, as said above, and --strict-input takes nothing that is")
        terminal.say(f"{things} malformed, and left out of the answer (--strict-input ends with 2 instead)")
    if whole:
        _must_be_whole(made, terminal)
    for section in made.world.unread:
        if section.name in _NEEDED:
            what = _NEEDED[section.name]
            terminal.say(f"{what} could not be read, so the answer is made without them: {section.unread.reason}")
    for note in made.notes:
        terminal.say(f"note: {note}", level=1)
    if made.profile.semantics.is_foreign:
        _say_what_is_out_of_force(made, terminal)
    return made


def _say_what_is_out_of_force(made: PolicyLook, terminal: Terminal) -> None:
    """Say which policies of the engine's own are not in force, which nobody can be sure of, and what else answers depend on."""
    from eksnetpol.engines.dialects import stack_of
    from eksnetpol.reporting.policy_words import caret

    stack = stack_of(made.profile.semantics, made.world)
    for refused in stack.refused:
        place = f" at {refused.place}" if refused.place else ""
        words = f"{refused.ref} is not in force, since {made.profile.semantics} refuses it{place}: {refused.why}"
        terminal.say("\n".join([words, *caret(refused.why)]))
    for unread in stack.unread:
        place = f" at {unread.place}" if unread.place else ""
        words = f"{unread.ref} is not understood{place}, and no answer that it could change is certain: {unread.why}"
        terminal.say("\n".join([words, *caret(unread.why)]))
    for note in stack.notes:
        terminal.say(f"note: {note}", level=1)


def only_of_ours(settings: PolicySettings, instead: str) -> None:
    """Raise `UsageError` where the question is about the VPC CNI itself and another engine's semantics are asked for.

    *instead* is the command that can be asked.
    """
    from eksnetpol.policy.profile import Semantics

    if Semantics(settings.semantics).is_foreign:
        asked = f"--semantics {settings.semantics}"
        raise UsageError(f"this asks what the VPC CNI does, and nothing of another engine ({asked}); try: {instead} {asked}")


def _by_line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.place.rpartition(":")
    return (file, int(line)) if line.isdigit() else (problem.place, 0)


def _must_be_whole(made: PolicyLook, terminal: Terminal) -> None:
    foreign = made.profile.semantics.is_foreign
    if made.world.source is SourceKind.MANIFESTS:
        policies = (made.world.network_policies, made.world.application_policies, made.world.cluster_policies)
        if not any((*policies, made.world.admin_policies, made.world.foreign_policies if foreign else ())):
            terminal.say("note: there is no policy in the files, so that everything is allowed")
        return
    more = {"foreign_policies": f"policies of {made.profile.semantics}"} if foreign else {}
    for name, what in (_NEEDED | more).items():
        section = getattr(made.snapshot, name)
        if isinstance(section, Unread):
            raise EksNetpolError(f"{what} could not be read, and no answer is right without them: {section.reason}")


def looked(snapshot: ClusterSnapshot, config: Config, problems: Sequence[Problem] = ()) -> PolicyLook:
    """Return what *snapshot* amounts to, under the settings of *config*; *problems* are those of reading it."""
    from eksnetpol.policy.world import World

    world = World.of(snapshot)
    profile, notes = profile_of(snapshot, world, config.settings.policy)
    return PolicyLook(snapshot, world, profile, tuple(problems), notes, is_strict=config.settings.policy.strict_input)


def profile_of(snapshot: ClusterSnapshot, world: World, settings: PolicySettings) -> tuple[Profile, tuple[str, ...]]:
    """Return under which meaning questions about *snapshot* are asked, and what of it is assumed.

    What *settings* say goes before what the cluster tells: the agent's release by its image, the mode by the variable of
    ``aws-node``, the family by the cluster or its addresses.
    """
    from eksnetpol.facts.declare import Lookup, catalog
    from eksnetpol.model.versions import Release
    from eksnetpol.policy.profile import Profile, Semantics

    catalog()
    facts = Lookup(snapshot)
    profile = Profile(
        semantics=Semantics(settings.semantics), family=settings.ip_family or world.family or "ipv4", mode=_mode(facts, settings)
    )
    notes: list[str] = []
    if settings.controller_version:
        profile = replace(profile, controller=Release.parse(settings.controller_version))
    else:
        notes.append(f"a cluster does not tell its controller's release; {profile.controller} is assumed (--controller-version)")
    agent = Release.parse(settings.agent_version) if settings.agent_version else _agent(facts)
    if agent is not None:
        profile = replace(profile, agent=agent)
    else:
        notes.append(f"the agent's release is not known; {profile.agent} is assumed (--agent-version)")
    if not settings.ip_family and not world.family:
        notes.append("nothing tells the family of addresses; ipv4 is assumed (--ip-family)")
    if profile.semantics is not Semantics.VPC_CNI:
        notes = [note for note in notes if "ip-family" in note]
        if settings.mode == "strict":
            notes.append(f"--mode strict means nothing under --semantics {profile.semantics}")
    return profile, tuple(notes)


def _mode(facts: Lookup, settings: PolicySettings) -> Any:
    from eksnetpol.model.snapshot import Seen
    from eksnetpol.policy.profile import Mode

    if settings.mode:
        return Mode(settings.mode)
    found = facts.get("vpc_cni")
    strict = isinstance(found, Seen) and found.value is not None and found.value.is_strict
    return Mode.STRICT if strict else Mode.STANDARD


def _agent(facts: Lookup) -> Any:
    from eksnetpol.model.snapshot import Seen

    found = facts.get("agent_release")
    return found.value if isinstance(found, Seen) else None
