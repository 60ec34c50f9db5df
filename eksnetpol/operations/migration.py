"""Leaving another engine: which one is meant, what its policies come to, and whether anything would flow that did not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from eksnetpol.engines.dialects import SPOKEN, dialects_of, stack_of
from eksnetpol.errors import EksNetpolError, Refused, UsageError
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.policies import NetworkPolicy
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread, Why
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.proof import Outcome, prove
from eksnetpol.translation import Options, Translation, Verdict, Waiver, translate
from eksnetpol.translation.comparing import after

_GROUPS = {"projectcalico.org": "calico", "cilium.io": "cilium", "crd.antrea.io": "antrea"}
_WAIVER = re.compile(r"(?P<what>[^=\s]+)=(?P<owner>[^,]+),(?P<until>\d{4}-\d{2}-\d{2}),(?P<reason>.+)")


@dataclass(frozen=True, slots=True)
class Source:
    """What is left: the dialect, its policies as a stack, and the world they hold in."""

    dialect: str
    stack: Stack
    world: World
    vpc: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A widening that somebody has taken on by name: who, until when, and why."""

    waiver: Waiver
    owner: str
    until: date
    reason: str


def accepted(texts: Iterable[str], today: date) -> tuple[Accepted, ...]:
    """Read ``POLICY=OWNER,YYYY-MM-DD,REASON``; raise `UsageError` for what is none, `Refused` for one that has expired."""
    found = []
    for text in texts:
        read = _WAIVER.fullmatch(text.strip())
        if read is None:
            raise UsageError(f"--waive {text!r}: write POLICY=OWNER,YYYY-MM-DD,REASON, the policy as the report names it")
        try:
            until = date.fromisoformat(read["until"])
        except ValueError as error:
            raise UsageError(f"--waive {text!r}: {error}") from None
        if until < today:
            raise Refused(f"the waiver of {read['what']} by {read['owner']} has expired on {until}; nothing was written")
        found.append(Accepted(Waiver(read["what"]), read["owner"], until, read["reason"]))
    return tuple(found)


def source_of(snapshot: ClusterSnapshot, said: str = "") -> Source:
    """Return whose policies are to be left: of the engine that *said* names, else of the one that runs, else of what files hold.

    Raises `UsageError` where nothing tells, `Refused` where two engines enforce, and `EksNetpolError` where a section that the
    answer stands on could not be read.
    """
    catalog()
    world = World.of(snapshot)
    for name in ("foreign_policies", "network_policies", "pods", "namespaces"):
        section = getattr(snapshot, name)
        if isinstance(section, Unread) and section.why is not Why.NOT_IN_FILES:
            what = name.replace("_", " ")
            raise EksNetpolError(f"{what} could not be read, and no answer is right without them: {section.reason}")
    vpc = snapshot.vpc.value.cidrs if isinstance(snapshot.vpc, Seen) else ()
    dialect = SPOKEN.get(said, said) or _spoken(snapshot, world)
    return Source(dialect, stack_of(dialect, world), world, tuple(vpc))


def _spoken(snapshot: ClusterSnapshot, world: World) -> str:
    engines = Lookup(snapshot).get("engines")
    running = dialects_of(engines.value) if isinstance(engines, Seen) else ()
    if len(running) > 1:
        raise Refused(f"several engines enforce at once ({', '.join(running)}); name the one to leave with --from")
    if running:
        return running[0]
    written = {_GROUPS[g] for p in world.foreign_policies for g in _GROUPS if p.api_version.partition("/")[0].endswith(g)}
    if len(written) == 1:
        return written.pop()
    if written:
        raise UsageError(f"there are policies of several dialects ({', '.join(sorted(written))}); name one with --from")
    if snapshot.source is SourceKind.MANIFESTS and world.admin_policies:
        return "upstream"
    raise UsageError("no other engine runs here, and no policy of one was found; --from names whose policies these are")


def translated(
    source: Source, waivers: Sequence[Accepted] = (), *, cluster_policies: bool = False, profile: Profile | None = None
) -> Translation:
    """Return what the policies of *source* become under the VPC CNI, with a verdict on every rule."""
    family = source.world.family or "ipv4"
    options = Options(
        vpc=source.vpc,
        waivers=tuple(one.waiver for one in waivers),
        cluster_policies=cluster_policies,
        profile=profile or Profile(family=family),
    )
    return translate(source.stack, source.world, options)


def proved(source: Source, translation: Translation, *, wider: bool = True) -> Outcome:
    """Return whether what *translation* leaves in force ever lets through what *source* does not, for all pods there could be."""
    policies: tuple[NetworkPolicy, ...] = after(source.world, translation.outputs).network_policies
    return prove(source.stack, policies, source.world, wider=wider, vpc=source.vpc)


def exit_code(translation: Translation, stack: Stack) -> int:
    """Return 1 where something stands in the way, cannot be said in the target or is refused by its own engine, else 0."""
    unsaid = any(j.verdict is Verdict.NONE for j in translation.judged)
    return int(bool(translation.refused) or unsaid or bool(stack.refused))


def widenings(translation: Translation) -> int:
    """Return 1 where something flows afterwards that did not, and nobody has taken it on; else 0."""
    return int(any(j.verdict is Verdict.LOOSER for j in translation.refused) or bool(_not_understood(translation)))


def _not_understood(translation: Translation) -> tuple[object, ...]:
    return tuple(j for j in translation.refused if j.verdict is not Verdict.LOOSER)

