"""Leaving another engine: which one is meant, what its policies come to, and whether anything would flow that did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eksnetpol.engines.dialects import SPOKEN, dialects_of, stack_of
from eksnetpol.errors import EksNetpolError, Refused, UsageError
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.model.snapshot import ClusterSnapshot, Seen, SourceKind, Unread, Why
from eksnetpol.operations.cluster_policies import hindrances
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.proof import Outcome, prove
from eksnetpol.translation import Options, Translation, Verdict, accepting, translate
from eksnetpol.translation.comparing import after
from eksnetpol.translation.sources import digests
from eksnetpol.translation.values import Accepted, Tell, silent

_GROUPS = {"projectcalico.org": "calico", "cilium.io": "cilium", "isovalent.com": "cilium", "crd.antrea.io": "antrea"}


@dataclass(frozen=True, slots=True)
class Source:
    """What is left: the dialect, its policies as a stack, and the world they hold in, of which *snapshot* is the look."""

    dialect: str
    stack: Stack
    world: World
    vpc: tuple[str, ...]
    snapshot: ClusterSnapshot


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
            words = f"{what} could not be read, and no answer is right without them: {section.reason}"
            if section.why is Why.NOT_ASKED:
                words += "; `eksnetpol snapshot save` takes a new one, with them"
            raise EksNetpolError(words)
    vpc = snapshot.vpc.value.cidrs if isinstance(snapshot.vpc, Seen) else ()
    dialect = SPOKEN.get(said, said) or _spoken(snapshot, world)
    if dialect == "cilium" and isinstance(world.configmaps, Unread):
        reason = world.configmaps.reason
        raise EksNetpolError(f"Cilium's settings could not be read, and no answer is right without them: {reason}")
    return Source(dialect, stack_of(dialect, world), world, tuple(vpc), snapshot)


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
    source: Source,
    taken: Sequence[Accepted] = (),
    notes: Sequence[str] = (),
    *,
    cluster_policies: bool = False,
    profile: Profile | None = None,
    tell: Tell = silent,
) -> Translation:
    """Return what the policies of *source* become under the VPC CNI, with a verdict on every rule.

    With *cluster_policies* ClusterNetworkPolicies are among them where the cluster is known to enforce these.
    *taken* is what somebody has taken on; *notes* are said beside those of the translation. Raises `UsageError` where the command
    line takes on a policy that is not there. *tell* is told how it proceeds.
    """
    taken, ambiguous = accepting.resolved(taken, source.stack)
    against = hindrances(source.snapshot) if cluster_policies else ()
    if against:
        notes = (*notes, f"No ClusterNetworkPolicy is written, which this cluster may not enforce: {'; '.join(against)}.")
    family = source.world.family or "ipv4"
    options = Options(
        vpc=source.vpc,
        waivers=tuple(one.waiver for one in taken),
        cluster_policies=cluster_policies and not against,
        digests=digests(source.world),
        profile=profile or Profile(family=family),
    )
    done = translate(source.stack, source.world, options, tell)
    unused = accepting.of_policies(taken, done, source.stack)
    return replace(done, notes=(*done.notes, *notes, *ambiguous, *unused), accepted=tuple(accepting.used(taken, done)))


def proved(source: Source, translation: Translation, *, wider: bool = True) -> Outcome:
    """Return whether what *translation* leaves in force ever lets through what *source* does not, for all pods there could be."""
    later = after(source.world, translation.outputs)
    policies, above = later.network_policies, later.cluster_policies
    return prove(source.stack, policies, source.world, cluster_policies=above, wider=wider, vpc=source.vpc)


def exit_code(translation: Translation, stack: Stack) -> int:
    """Return 1 where something stands in the way, cannot be said in the target or is refused by its own engine, else 0."""
    unsaid = any(j.verdict is Verdict.NONE for j in translation.judged)
    return int(bool(translation.refused) or unsaid or bool(stack.refused))


def widenings(translation: Translation) -> int:
    """Return 1 where something flows afterwards that did not, and nobody has taken it on; else 0."""
    return int(any(j.verdict is Verdict.LOOSER for j in translation.refused) or bool(_not_understood(translation)))


def _not_understood(translation: Translation) -> tuple[object, ...]:
    return tuple(j for j in translation.refused if j.verdict is not Verdict.LOOSER)

