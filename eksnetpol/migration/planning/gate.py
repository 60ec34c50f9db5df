"""Phase 0: why a cluster is not moved as it is, and what is looked at before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eksnetpol.assets.cleaner import OWN_COMMANDS, can_clean
from eksnetpol.engines.engine import Life
from eksnetpol.errors import EksNetpolError
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import Owner, Tool, by_marks
from eksnetpol.facts.vpc_cni import Switch, Switches, VpcCni
from eksnetpol.migration.planning import phases
from eksnetpol.migration.planning.leaving import IN_PLACE, MOVABLE, Leaving, engines_there
from eksnetpol.migration.planning.options import Exit, MigrateOptions
from eksnetpol.migration.planning.sources import Sources
from eksnetpol.model import kinds
from eksnetpol.model.conditions import All, Answering
from eksnetpol.model.engine_kinds import INSTALLATION
from eksnetpol.model.kubernetes import ApiService, ConfigMap, Namespace, Pod
from eksnetpol.model.plan import Refusal
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.reading import known, need
from eksnetpol.planning.refusals import TAKE_OVER
from eksnetpol.translation.assessment import Assessment
from eksnetpol.translation.values import Judged, Translation, Verdict

_GIT = frozenset({Tool.ARGO_CD, Tool.FLUX})
_NAMED = 5


def taking_on(loss: str) -> str:
    """Return the flag that takes on a *loss* by name."""
    return f"--waive {loss}=OWNER,YYYY-MM-DD,REASON"


def stumbling(facts: Lookup) -> dict[str, str]:
    """Return what makes the API server stumble before anything is done, by name, in words: it has nothing to do with the plan."""
    found: dict[str, str] = {}
    services: tuple[ApiService, ...] = known(facts, "api_services", ())
    for api in services:
        broken = next((c for c in api.status.conditions if c.type == "Available" and c.status == "False"), None)
        if broken is not None:
            why = broken.message or broken.reason or "no reason given"
            found[api.metadata.name] = f"APIService {api.metadata.name} is not available ({why}), so that no namespace can end"
    namespaces: tuple[Namespace, ...] = known(facts, "namespaces", ())
    for namespace in namespaces:
        if namespace.status.phase == "Terminating":
            found[namespace.name] = f"namespace {namespace.name} hangs in Terminating"
    return found


def answering(facts: Lookup) -> Answering:
    """Return the condition that nothing makes the API server stumble but what did before."""
    return Answering(tuple(stumbling(facts)))


def gate(facts: Lookup, sources: Sources) -> Draft:
    """Return the look before anything is written: nothing stumbles, and the policies are those that were translated."""
    return phases.of(
        phases.look(
            "gate",
            "See that the API server answers for everything, and that the policies are those that were translated",
            All((sources.unchanged, answering(facts))),
            phases.GATE,
            patience=60.0,
        )
    )


def unread(assessment: Assessment) -> None:
    """Raise `EksNetpolError` that names what could not be read and decides whether a cluster can be moved."""
    if assessment.gaps:
        gaps = "; ".join(f"{gap.section.replace('_', ' ')}: {gap.reason}" for gap in assessment.gaps)
        raise EksNetpolError(f"whether this cluster can be moved cannot be told without what was not read: {gaps}")


def refusals(
    facts: Lookup,
    assessment: Assessment,
    translation: Translation,
    left: Leaving | None,
    sources: Sources | None,
    options: MigrateOptions,
) -> Iterator[Refusal]:
    """Yield why this cluster is not moved as it is. Those with a flag are left to the person who says it."""
    yield from (Refusal(why) for why in assessment.refusals)
    yield from (Refusal(f"{words}: that goes with the engine", taking_on(name)) for name, words in assessment.waivers)
    for there in engines_there(facts):
        if there.presence.name not in MOVABLE and there.presence.life is Life.LIVE and not assessment.refusals:
            yield Refusal(f"{there.presence.title}: how its nodes are left is not known here")
    yield from _of_translation(translation)
    for name, words in stumbling(facts).items():
        yield Refusal(f"{words}: see to it first, or what goes wrong on the way cannot be told from it", taking_on(name))
    if left is None:
        return
    if not left.has_agent:
        yield from _of_parts(left)
        return
    yield from _of_exit(facts, left, options)
    yield from _of_owners(left)
    if sources is not None and sources.strange:
        named = ", ".join(sources.strange[:_NAMED])
        yield Refusal(f"{named}: served in a version that is not written here, so whether it changes could not be told")


def _of_parts(left: Leaving) -> Iterator[Refusal]:
    """Yield that what an agent left behind in kernels is not known, where it is gone and not every node is known to have left."""
    if left.doubtful:
        yield Refusal(
            f"{left.title} is here without its agent, and nothing shows that its rules are out of the kernels of {left.doubtful} "
            "nodes: replace these, or go on with the run that was stopped: eksnetpol history names it",
            taking_on("frozen-rules"),
        )


def _of_translation(translation: Translation) -> Iterator[Refusal]:
    """Yield what would let through more than before and nobody took on, and what was not understood."""
    looser = [j for j in translation.refused if j.verdict is Verdict.LOOSER]
    unclear = [j for j in translation.refused if j.verdict is not Verdict.LOOSER]
    if looser:
        take = f"--waive {looser[0].ref}=OWNER,YYYY-MM-DD,REASON takes it on"
        yield Refusal(f"{_judged(looser)}: more would flow than does now; {take}")
    if unclear:
        yield Refusal(f"{_judged(unclear)}: not understood, so what it becomes is not known; change or remove it first")


def _judged(judged: list[Judged]) -> str:
    by_rules = {j.ref for j in judged if j.place}
    judged = [j for j in judged if j.place or j.ref not in by_rules]
    named = [f"{j.ref}{f' {j.place}' if j.place else ''}{f' ({j.reason})' if j.reason else ''}" for j in judged[:_NAMED]]
    more = f" and {len(judged) - _NAMED} more" if len(judged) > _NAMED else ""
    return "; ".join(named) + more


def _of_exit(facts: Lookup, left: Leaving, options: MigrateOptions) -> Iterator[Refusal]:
    if left.exit is Exit.IN_PLACE:
        if left.engine not in IN_PLACE or not can_clean(left.engine):
            yield Refusal(f"{left.title} cannot share a node with the VPC CNI's agent, so that its nodes have to be replaced")
        elif not options.cleaner_image and left.engine not in OWN_COMMANDS:
            yield Refusal(
                f"{left.title} leaves its rules in the kernel of each node, and which image takes them out was not said: "
                "--cleaner-image IMAGE, one with a shell, awk, iptables of both back-ends and ipset; or replace the nodes: "
                "--exit replacement"
            )
        elif not options.cleaner_image and _proxies_by_ipvs(facts):
            yield Refusal(
                f"{left.title}'s own clean-up may flush kube-proxy's IPVS tables as well (not verified), and Services with them, "
                "until kube-proxy writes them anew: --cleaner-image IMAGE cleans by name instead",
                taking_on("ipvs-flush"),
            )
        return
    if left.engine not in IN_PLACE:
        yield from _of_ebpf(facts, left)
    yield from _of_bare_pods(facts, left, options)


def _of_ebpf(facts: Lookup, left: Leaving) -> Iterator[Refusal]:
    cni: VpcCni | None = known(facts, "vpc_cni")
    switches: Switches | None = known(facts, "switches")
    if cni is not None and cni.agent_is_on and switches is not None and switches.controller is Switch.ON:
        yield Refusal(
            f"{left.title} and the VPC CNI's agent are both on, on the same nodes, where one masks the other: switch the VPC "
            "CNI's off first: eksnetpol disable --keep-policies"
        )
    if known(facts, "addon") is not None:
        yield Refusal(
            f"beside {left.title} the agent may only come to new nodes, for which aws-node has to be updated by hand (OnDelete), "
            "and EKS manages it as an add-on here: that its configuration takes an update strategy is not verified. Let EKS let "
            "go of it: aws eks delete-addon --addon-name vpc-cni --preserve"
        )


def _of_bare_pods(facts: Lookup, left: Leaving, options: MigrateOptions) -> Iterator[Refusal]:
    names = {node.name for node in left.nodes}
    pods: tuple[Pod, ...] = need(facts, "pods")
    bare = [
        f"{pod.namespace}/{pod.name}"
        for pod in pods
        if pod.spec.node_name in names and not pod.is_terminal and not any(o.controller for o in pod.metadata.owner_references)
        and "kubernetes.io/config.mirror" not in pod.metadata.annotations
    ]  # fmt: skip
    for name in sorted(set(bare) - set(options.bare)):
        yield Refusal(f"nothing would bring pod {name} back once its node is drained: no controller owns it", f"--bare {name}")


def _of_owners(left: Leaving) -> Iterator[Refusal]:
    """Yield who would put back what the plan writes. An operator is told through its own object, which has an owner too."""
    found = () if left.parts.chart else owners(left)
    for tool in dict.fromkeys(owner.tool for owner in found):
        yield Refusal(_words(tool, [owner for owner in found if owner.tool is tool]), TAKE_OVER)


def owners(left: Leaving) -> tuple[Owner, ...]:
    """Return the tools that are known to own the old engine."""
    if left.agent is None:
        return ()
    written = left.agent.metadata if left.installation is None else left.installation.metadata
    kind = kinds.DAEMONSET if left.installation is None else INSTALLATION
    return tuple(owner for owner in by_marks(written, kind) if owner.certain)


def _words(tool: Tool, found: Iterable[Owner]) -> str:
    one = next(iter(found))
    who = f"{tool} {one.name}".strip()
    how = "Pause it, or put the change into its source" if tool in _GIT else "Put the change into its values"
    return f"{who} owns {one.of} ({one.evidence}): its next run would put the old agent back on nodes that have left it. {how}"


def _proxies_by_ipvs(facts: Lookup) -> bool:
    found: tuple[ConfigMap, ...] = known(facts, "configmaps", ())
    texts = [text for c in found if c.metadata.name.startswith("kube-proxy") for text in c.data.values()]
    return any("mode" in line and "ipvs" in line for text in texts for line in text.splitlines())



