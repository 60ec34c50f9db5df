"""What is on, in words: one headline, and a few rows that say what it is made of. Nothing here is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from eksnetpol.assets.codes import issue
from eksnetpol.facts.headline import Verdict
from eksnetpol.facts.rollout_state import NodeState, RolloutByNode
from eksnetpol.facts.status import Status
from eksnetpol.facts.vpc_cni import CONFIGMAP, CONTROLLER_KEY, Switch
from eksnetpol.model.eks import AddonIssue
from eksnetpol.model.runs import RunSummary
from eksnetpol.model.snapshot import SourceKind, Target, Unread, UnreadSection, Why
from eksnetpol.model.versions import KubernetesVersion, Release
from eksnetpol.reporting.view import plural

NAMED = 10
"""So many nodes are named before the rest is counted."""

SIGNS = {
    Verdict.ON: "+",
    Verdict.OFF: "-",
    Verdict.HALF_ON: "x",
    Verdict.ROLLING: "~",
    Verdict.DRIFTED: "x",
    Verdict.UNKNOWN: "?",
}
_COUNTS = {
    "network_policies": ("NetworkPolicy", "NetworkPolicies"),
    "application_policies": ("ApplicationNetworkPolicy", "ApplicationNetworkPolicies"),
    "cluster_policies": ("ClusterNetworkPolicy", "ClusterNetworkPolicies"),
    "policy_endpoints": ("PolicyEndpoint", "PolicyEndpoints"),
    "cluster_policy_endpoints": ("ClusterPolicyEndpoint", "ClusterPolicyEndpoints"),
}
_TROUBLE = {
    NodeState.MISSING: "no aws-node pod",
    NodeState.OLD: "former template",
    NodeState.NOT_READY: "not ready",
    NodeState.NO_AGENT: "no agent container",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A status and of what it is one: which cluster, when, from where, and which runs of ours are unfinished there."""

    status: Status
    target: Target
    source: SourceKind
    looked_at: datetime
    unread: tuple[UnreadSection, ...] = ()
    runs: tuple[RunSummary, ...] = ()


def headline(standing: Standing) -> str:
    """Return the verdict as a sentence without a full stop."""
    found = standing.status.headline
    name = standing.target.title
    match found.verdict:
        case Verdict.UNKNOWN:
            return f"whether network policy is on in {name} is not known"
        case Verdict.DRIFTED:
            return f"what runs in {name} is not what the add-on was told"
        case Verdict.ROLLING:
            return f"a change of the VPC CNI is on its way through {name}"
        case _:
            return f"network policy is {found.verdict} in {name}"


def circumstances(standing: Standing) -> str:
    """Return of what and when the look was."""
    where = ", ".join(part for part in (standing.target.region, standing.target.account) if part)
    about = f"{standing.target.title} ({where})" if where else standing.target.title
    how = {SourceKind.LIVE: "", SourceKind.MANIFESTS: ", from files", SourceKind.SIMULATION: ", simulated"}[standing.source]
    return f"{about}, looked at {moment(standing.looked_at)}{how}"


def moment(when: datetime) -> str:
    """Return a time in UTC."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rows(standing: Standing) -> Iterator[tuple[str, str]]:
    """Yield what it is made of: a word and what is to be said of it."""
    status = standing.status
    yield "controller", _controller(status)
    yield "agent", _agent(status)
    install, addon = status.install, status.addon
    yield "installed by", _unread(install) if isinstance(install, Unread) else f"{install.manager} ({install.evidence})"
    if addon is not None:
        yield "add-on", _unread(addon) if isinstance(addon, Unread) else f"{addon.addon_version}, {addon.status}".strip(", ")
    yield "versions", _versions(status)
    yield "nodes", _nodes(status)
    if status.auto_mode is not None:
        yield "Auto Mode", _auto_mode(status)
    yield "definitions", _definitions(status)
    yield "policies", _counts(status)


def sections(standing: Standing, *, everything: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield a heading and lines for what deserves attention; *everything* names every node."""
    status = standing.status
    groups = (
        ("Nodes", list(_troubled(status, everything=everything))),
        ("Told otherwise", [f"{s.path}={s.wanted} in the configuration values, live is {s}" for s in status.drift]),
        ("What EKS reports", [line for found in status.issues for line in issue_lines(found)]),
        ("Under way", list(_under_way(standing))),
        ("Not read", list(_not_read(standing))),
        ("Notes", list(_notes(status))),
    )
    yield from ((title, lines) for title, lines in groups if lines)


def meaning(code: str) -> tuple[str, str]:
    """Return what a code of an AddonIssue means, and what to do about it."""
    found = issue(code)
    return found.words, found.next_step


def issue_lines(found: AddonIssue) -> Iterator[str]:
    """Yield what EKS says, what it means, and what to do."""
    words, next_step = meaning(found.code)
    about = f" ({', '.join(found.resource_ids)})" if found.resource_ids else ""
    yield f"{found.code}: {found.message}{about}".rstrip(": ")
    if words:
        yield words
    if next_step:
        yield f"-> {next_step}"


def change_line(before: Standing | None, after: Standing) -> str:
    """Return one line for what has become of it since *before*; empty where it says the same."""
    said = _line(after)
    if before is not None and _line(before) == said:
        return ""
    return f"{moment(after.looked_at)} {said}"


def _line(standing: Standing) -> str:
    status = standing.status
    parts = [f"{status.headline.verdict}: {'; '.join(status.headline.why)}"]
    rollout = status.rollout
    if isinstance(rollout, RolloutByNode) and rollout.words not in parts[0]:
        parts.append(rollout.words)
    if status.addon is not None and not isinstance(status.addon, Unread):
        parts.append(f"add-on {status.addon.addon_version} {status.addon.status}".replace("  ", " "))
    return "; ".join(parts)


def _controller(status: Status) -> str:
    if isinstance(status.switches, Unread):
        return _unread(status.switches)
    found = status.switches
    where = f"{CONTROLLER_KEY} in the ConfigMap kube-system/{CONFIGMAP}"
    if found.controller is Switch.ABSENT:
        return f"off ({where} is not there)"
    word = "off, because the text is not the literal true" if found.controller is Switch.MALFORMED else found.controller.value
    return f"{word} ({where} is {found.controller_value!r})"


def _agent(status: Status) -> str:
    if isinstance(status.agent, Unread):
        return status.agent.reason if status.agent.why is Why.ABSENT else _unread(status.agent)
    if not status.agent:
        return "aws-node has no agent container"
    word = "not known" if isinstance(status.switches, Unread) else status.switches.agent.value
    mode = status.mode if isinstance(status.mode, str) else ""
    return f"{word} (container {status.agent}, enforcing mode {mode or 'not set'})"


def _versions(status: Status) -> str:
    found = status.versions
    platform = f" {found.platform}" if found.platform else ""
    return f"CNI {_version(found.cni)}, agent {_version(found.agent)}, Kubernetes {_version(found.kubernetes)}{platform}"


def _version(found: Release | KubernetesVersion | Unread) -> str:
    if isinstance(found, Unread):
        return "none" if found.why is Why.ABSENT else f"not known ({found.reason})"
    return str(found)


def _nodes(status: Status) -> str:
    others = "" if isinstance(status.unserved, Unread) else ", ".join(f"{n} {kind}" for kind, n in status.unserved.items())
    beside = f"; not served by aws-node: {others}" if others else ""
    if isinstance(status.rollout, Unread):
        return f"{status.rollout.reason}{beside}"
    unnamed = f" (which nodes is not known: {status.rollout.unread})" if status.rollout.unread else ""
    return f"{status.rollout.words}{unnamed}{beside}"


def _auto_mode(status: Status) -> str:
    auto = status.auto_mode
    if auto is None:
        return ""
    nodes = "nodes not known" if isinstance(auto.nodes, Unread) else plural(auto.nodes, "node")
    if isinstance(auto.classes, Unread):
        return f"{nodes}; NodeClasses not known: {auto.classes.reason}"
    classes = ", ".join(f"{name} {word or 'sets no networkPolicy'}" for name, word in sorted(auto.classes.items()))
    return f"{nodes}; NodeClasses: {classes or 'none'}"


def _definitions(status: Status) -> str:
    if isinstance(status.definitions, Unread):
        return _unread(status.definitions)
    served = [d.name.partition(".")[0] for d in status.definitions if d.established]
    if not served:
        return "none of networking.k8s.aws is served"
    lacking = [d.name.partition(".")[0] for d in status.definitions if not d.established]
    return f"{', '.join(served)} served" + (f"; not {', '.join(lacking)}" if lacking else "")


def _counts(status: Status) -> str:
    parts, unknown = [], []
    for name, number in status.counts.items():
        one, many = _COUNTS[name]
        if isinstance(number, Unread):
            unknown.append(many)
        elif number or name in {"network_policies", "policy_endpoints"}:
            parts.append(plural(number, one, many))
    return "; ".join(filter(None, (", ".join(parts), f"not known: {', '.join(unknown)}" if unknown else "")))


def _unread(found: Unread) -> str:
    return f"not known: {found.reason}"


def _troubled(status: Status, *, everything: bool) -> Iterator[str]:
    """Yield a line for the nodes that are in the same state for the same reason."""
    if isinstance(status.rollout, Unread):
        return
    groups: dict[str, list[str]] = {}
    for node in sorted(status.rollout.of(*_TROUBLE), key=lambda n: list(_TROUBLE).index(n.state)):
        said = [part for part in (node.detail, "" if node.node_is_ready else "the node is down") if part]
        title = _TROUBLE[node.state] + (f" ({'; '.join(said)})" if said else "")
        groups.setdefault(title, []).append(node.name)
    for title, names in groups.items():
        shown = names if everything else names[:NAMED]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        yield f"{title}: {', '.join(shown)}{more}"


def _not_read(standing: Standing) -> Iterator[str]:
    """Yield a line for the sections that were not read for the same reason."""
    groups: dict[str, list[str]] = {}
    for section in standing.unread:
        groups.setdefault(section.unread.reason, []).append(section.name)
    yield from (f"{', '.join(names)}: {reason}" for reason, names in groups.items())


def _under_way(standing: Standing) -> Iterator[str]:
    update = standing.status.update
    if update is not None:
        since = f" since {moment(update.created_at)}" if update.created_at else ""
        what = ", ".join(f"{p.type} {p.value}" for p in update.params if p.type != "ConfigurationValues")
        yield f"EKS update {update.id}{since}" + (f": {what}" if what else "")
    for run in standing.runs:
        then = f"eksnetpol resume {run.id}, or eksnetpol rollback {run.id}"
        yield f"run {run.id}, {run.state}, begun {moment(run.started_at)}: {then}"


def _notes(status: Status) -> Iterator[str]:
    policies, endpoints = status.counts["network_policies"], status.counts["policy_endpoints"]
    on = not isinstance(status.switches, Unread) and status.switches.controller is Switch.ON
    if isinstance(policies, int) and isinstance(endpoints, int):
        if on and policies and not endpoints:
            yield "There are policies and no PolicyEndpoint: the controller has resolved none yet, so agents enforce none."
        if not on and endpoints:
            yield f"The controller is off and {plural(endpoints, 'PolicyEndpoint')} are left: they are not kept up to date."
