"""A status as JSON or YAML: everything, for programs. Members are only ever added within version 1.

A value that could not be read is null, and ``unknown`` says why, by the member's path.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from eksnetpol.facts.drift import Setting
from eksnetpol.facts.headline import Verdict
from eksnetpol.facts.rollout_state import NodeState, RolloutByNode
from eksnetpol.facts.status import Status
from eksnetpol.facts.vpc_cni import Switch
from eksnetpol.model.eks import Addon, Update
from eksnetpol.model.snapshot import Unread
from eksnetpol.reporting.escape import encodable_all
from eksnetpol.reporting.json_v1 import API_VERSION, TargetV1, ToolV1, UnreadV1
from eksnetpol.reporting.status_view import Standing, meaning, moment
from eksnetpol.reporting.yaml import Dumper

KIND = "Status"
_ENDLESS = 2**31 - 1
_TROUBLE = [state.value for state in NodeState if state is not NodeState.READY]


class _V1(msgspec.Struct, frozen=True, rename="camel"):
    """Part of the format; every member is always there."""


class SwitchesV1(_V1, frozen=True):
    """The two switches. ``controllerValue`` is the text in the ConfigMap, null where it is not there or not known."""

    controller: Annotated[str | None, Meta(examples=[s.value for s in Switch])]
    agent: Annotated[str | None, Meta(examples=[s.value for s in Switch])]
    controller_value: str | None


class AgentV1(_V1, frozen=True):
    """The agent's container, empty where there is none, and the enforcing mode as it is written, empty where it is not set."""

    container: str | None
    mode: str | None


class InstallV1(_V1, frozen=True):
    """Who installs ``aws-node``, and how that is known."""

    manager: str | None
    evidence: str


class IssueV1(_V1, frozen=True):
    """What EKS thinks is wrong, in its words and in ours."""

    code: str
    message: str
    resources: tuple[str, ...]
    meaning: str
    next_step: str


class AddonV1(_V1, frozen=True):
    """The managed add-on."""

    version: str
    status: str
    issues: tuple[IssueV1, ...]


class VersionsV1(_V1, frozen=True):
    """What runs; null is not known, or not there."""

    cni: str | None
    agent: str | None
    addon: str | None
    kubernetes: str | None
    platform: str | None


class NodeV1(_V1, frozen=True):
    """A node whose ``aws-node`` pod is not what it should be."""

    name: str
    state: Annotated[str, Meta(examples=_TROUBLE)]
    detail: str
    node_ready: bool


class RolloutV1(_V1, frozen=True):
    """The DaemonSet's counters, and the nodes that are not ready with the current template. ``nodes`` null is not known."""

    finished: bool
    desired: int
    updated: int
    ready: int
    available: int
    on_delete: bool
    nodes: tuple[NodeV1, ...] | None


class AutoModeV1(_V1, frozen=True):
    """EKS Auto Mode: its nodes, and ``networkPolicy`` of each NodeClass, empty where it is not set."""

    nodes: int | None
    node_classes: dict[str, str] | None


class DefinitionV1(_V1, frozen=True):
    """One of AWS's own kinds."""

    name: str
    present: bool
    established: bool


class DriftV1(_V1, frozen=True):
    """A setting that is not what the add-on was told."""

    path: str
    told: str
    place: str
    live: str


class UpdateV1(_V1, frozen=True):
    """An update of the add-on that EKS is at work on."""

    id: str
    type: str
    since: str | None


class RunV1(_V1, frozen=True):
    """A run of this tool that has not ended."""

    id: str
    verb: str
    state: str
    since: str


class UnknownV1(_V1, frozen=True):
    """Why a member is null."""

    member: str
    reason: str


class StatusV1(_V1, frozen=True):
    """What is on in one cluster."""

    api_version: Annotated[str, Meta(pattern="^eksnetpol\\.io/v1$")]
    kind: Annotated[str, Meta(pattern="^Status$")]
    tool: ToolV1
    target: TargetV1
    source: Annotated[str, Meta(examples=["live", "manifests", "simulation"])]
    looked_at: Annotated[str, Meta(description="UTC, RFC 3339", pattern="^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d")]
    verdict: Annotated[str, Meta(examples=[v.value for v in Verdict])]
    reasons: tuple[str, ...]
    exit_code: int
    switches: SwitchesV1
    agent: AgentV1
    install: InstallV1
    addon: AddonV1 | None
    versions: VersionsV1
    rollout: RolloutV1 | None
    unserved_nodes: dict[str, int] | None
    auto_mode: AutoModeV1 | None
    definitions: tuple[DefinitionV1, ...] | None
    counts: dict[str, int | None]
    drift: tuple[DriftV1, ...]
    update: UpdateV1 | None
    runs: tuple[RunV1, ...]
    unknown: tuple[UnknownV1, ...]
    unread: tuple[UnreadV1, ...]


def write_json(standing: Standing, exit_code: int, tool: str, *, compact: bool = False) -> str:
    """Return *standing* as JSON text in ASCII, its keys sorted; one line where *compact*."""
    made = document(standing, exit_code, tool)
    text = json.dumps(made, sort_keys=True, separators=(",", ":")) if compact else json.dumps(made, indent=2, sort_keys=True)
    # The same string to a JSON reader, but no workflow command to a CI runner.
    return text.replace("##[", "#\\u0023[") + "\n"


def write_yaml(standing: Standing, exit_code: int, tool: str) -> str:
    """Return *standing* as one YAML document in ASCII, its keys sorted."""
    text: str = yaml.dump(document(standing, exit_code, tool), Dumper=Dumper, sort_keys=True, width=_ENDLESS, allow_unicode=False)
    return text.replace("##[", "#\\x23[")


def document(standing: Standing, exit_code: int, tool: str) -> dict[str, Any]:
    """Return *standing* as plain dicts and lists, in the format's own names. *tool* is this tool's version."""
    made: dict[str, Any] = encodable_all(msgspec.to_builtins(_status(standing, exit_code, tool)))
    return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of this format."""
    made = msgspec.json.schema(StatusV1)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$id": "urn:eksnetpol:status:v1", "title": "A status of eksnetpol", **made}


def _status(standing: Standing, exit_code: int, tool: str) -> StatusV1:
    status, target = standing.status, standing.target
    unknown: list[UnknownV1] = []

    def known(member: str, value: Any) -> Any:
        if isinstance(value, Unread):
            unknown.append(UnknownV1(member, value.reason))
            return None
        return value

    switches = known("switches", status.switches)
    install = known("install", status.install)
    addon = known("addon", status.addon)
    rollout = known("rollout", status.rollout)
    return StatusV1(
        api_version=API_VERSION,
        kind=KIND,
        tool=ToolV1("eksnetpol", tool),
        target=TargetV1(target.cluster, target.region, target.account, target.arn, target.server, target.context),
        source=standing.source.value,
        looked_at=moment(standing.looked_at),
        verdict=status.headline.verdict.value,
        reasons=status.headline.why,
        exit_code=exit_code,
        switches=SwitchesV1(None, None, None)
        if switches is None
        else SwitchesV1(switches.controller.value, switches.agent.value, switches.controller_value),
        agent=AgentV1(known("agent.container", status.agent), known("agent.mode", status.mode)),
        install=InstallV1(None, "") if install is None else InstallV1(install.manager.value, install.evidence),
        addon=None if addon is None else _addon(addon),
        versions=_versions(status, known),
        rollout=None if rollout is None else _rollout(rollout),
        unserved_nodes=None if (kinds := known("unservedNodes", status.unserved)) is None else dict(kinds),
        auto_mode=_auto_mode(status, known),
        definitions=_definitions(known("definitions", status.definitions)),
        counts={_camel(name): known(f"counts.{_camel(name)}", number) for name, number in status.counts.items()},
        drift=tuple(_drift(s) for s in status.drift),
        update=None if status.update is None else _update(status.update),
        runs=tuple(RunV1(r.id, r.verb.value if r.verb else "", r.state, moment(r.started_at)) for r in standing.runs),
        unknown=tuple(unknown),
        unread=tuple(UnreadV1(u.name, u.unread.why.value, u.unread.reason, u.unread.permission) for u in standing.unread),
    )


def _addon(addon: Addon) -> AddonV1:
    issues = []
    for found in addon.health.issues:
        words, next_step = meaning(found.code)
        issues.append(IssueV1(found.code, found.message, found.resource_ids, words, next_step))
    return AddonV1(addon.addon_version, addon.status, tuple(issues))


def _versions(status: Status, known: Any) -> VersionsV1:
    found = status.versions

    def text(member: str, value: object) -> str | None:
        seen = known(f"versions.{member}", value)
        return None if seen is None or seen == "" else str(seen)

    return VersionsV1(
        cni=text("cni", found.cni),
        agent=text("agent", found.agent),
        addon=found.addon or None,
        kubernetes=text("kubernetes", found.kubernetes),
        platform=found.platform or None,
    )


def _rollout(rollout: RolloutByNode) -> RolloutV1:
    nodes = [NodeV1(n.name, n.state.value, n.detail, n.node_is_ready) for n in rollout.nodes if n.state is not NodeState.READY]
    return RolloutV1(
        finished=not rollout.is_rolling,
        desired=rollout.desired,
        updated=rollout.updated,
        ready=rollout.ready,
        available=rollout.available,
        on_delete=rollout.on_delete,
        nodes=None if rollout.unread else tuple(nodes),
    )


def _auto_mode(status: Status, known: Any) -> AutoModeV1 | None:
    if status.auto_mode is None:
        return None
    nodes = known("autoMode.nodes", status.auto_mode.nodes)
    return AutoModeV1(nodes, known("autoMode.nodeClasses", status.auto_mode.classes))


def _definitions(found: Any) -> tuple[DefinitionV1, ...] | None:
    return None if found is None else tuple(DefinitionV1(d.name, d.there, d.established) for d in found)


def _drift(setting: Setting) -> DriftV1:
    return DriftV1(setting.path, setting.wanted, setting.place, str(setting.live))


def _update(update: Update) -> UpdateV1:
    return UpdateV1(update.id, update.type, moment(update.created_at) if update.created_at else None)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
