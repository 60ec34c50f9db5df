"""Upgrading a self-managed VPC CNI: each version's manifest is merged into what is live, object by object.

CNI and agent always move together, because they speak over sockets whose place changes (aws/amazon-vpc-cni-k8s, CHANGELOG).
Every apply names only what becomes different and keeps what earlier ones hold, so what people set stays theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from eksnetpol.assets.definitions import definitions
from eksnetpol.assets.history import history
from eksnetpol.assets.images import images_like
from eksnetpol.assets.manifests import Install, agent_of, needed_definitions, vpc_cni_objects
from eksnetpol.facts.agent_rights import ROLE
from eksnetpol.facts.configuration import is_true
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.fields import paths
from eksnetpol.fields.apply import applied
from eksnetpol.fields.conflicts import conflicts
from eksnetpol.fields.holds import ABSENT, differences, value_at
from eksnetpol.fields.keeping import kept
from eksnetpol.fields.owners import MANAGER, owners
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, Create, Look, Taking
from eksnetpol.model.conditions import Established, Holds
from eksnetpol.model.digests import schema_digest
from eksnetpol.model.kinds import Json, ObjectRef
from eksnetpol.model.kubernetes import ClusterRole, ConfigMap, Container, CustomResourceDefinition, ObjectMeta, Workload
from eksnetpol.model.plan import FieldChange, Refusal, Rollout, Step, Undo
from eksnetpol.model.versions import ImageReference, Release
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.forecast import said
from eksnetpol.planning.live import as_object, cluster_role, configmap, daemonset, owners_at
from eksnetpol.planning.looks import disruption
from eksnetpol.planning.places import AGENT_ROLE, AWS_NODE, ROLLED, SETTINGS
from eksnetpol.planning.reading import need
from eksnetpol.planning.rollout import patience, rollout
from eksnetpol.planning.upgrade_merge import completed, merged_rules, three_way

_NOW = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class _Thing:
    """One object as it is after the steps planned so far; ``first`` is how it was before them, ``paths`` what they change.

    ``managers`` may own any of its fields, where a look does not keep who owns which.
    """

    ref: ObjectRef
    live: Json
    kind: type
    managers: tuple[str, ...] = ()
    first: Json = field(default_factory=dict)
    paths: dict[str, None] = field(default_factory=dict)


def plan_manifest(facts: Lookup, running: Release, hops: Sequence[Release]) -> Draft:
    """Return the steps of a self-managed upgrade from *running* over *hops*, none of which may be before v1.14.0.

    Raises `EksNetpolError` where something it stands on was not read, `UsageError` for a release whose manifest is not known.
    """
    cni: VpcCni = need(facts, "vpc_cni")
    family: Literal["ipv4", "ipv6"] = "ipv6" if need(facts, "ip_family") == "ipv6" else "ipv4"
    things = {str(t.ref): t for t in _things(facts, cni)}
    stock = _stock(running, cni, family)
    for ref, thing in things.items():
        thing.first = thing.live = completed(thing.live, stock.get(ref, {}), thing.kind)
    schemas = {crd.name: crd.spec.schema_digest for crd in need(facts, "crds")}
    rolls = rollout(facts)
    draft = Draft()
    for hop in hops:
        target = _stock(hop, cni, family)
        draft += _definitions(facts, hop, target, schemas)
        draft += _permissions(things, stock, target, hop, needed=_for_annotations(cni))
        draft += _merged(things, str(SETTINGS), stock, target, hop)
        draft += _merged(things, str(AWS_NODE), stock, target, hop)
        draft += Draft(steps=(rolled(hop, rolls),))
        stock = target
    changes = tuple(change for thing in things.values() for change in _changes(thing))
    return Draft(changes=changes) + draft + _said(cni, hops)


def _stock(release: Release, cni: VpcCni, family: Literal["ipv4", "ipv6"]) -> dict[str, Json]:
    """Return upstream's objects of *release*, by what they are called, the switch as it is here, so no difference."""
    install = Install(release=release.base, family=family, network_policy=cni.agent_is_on)
    objects = {str(ObjectRef.of(o)): o for o in vpc_cni_objects(install)}
    if cni.agent is None:
        # With a mode the CNI asks the agent about every pod, and where there is none no pod starts (aws/amazon-vpc-cni-k8s#3254).
        for container in objects[str(AWS_NODE)]["spec"]["template"]["spec"]["containers"]:
            container["env"] = [e for e in container.get("env", ()) if e["name"] != MODE_VARIABLE]
    return objects


def _things(facts: Lookup, cni: VpcCni) -> Iterator[_Thing]:
    yield _Thing(AWS_NODE, daemonset(cni), Workload)
    config = configmap(facts)
    if config is not None:
        yield _Thing(SETTINGS, as_object(config, kinds.CONFIGMAP), ConfigMap)
    role = cluster_role(facts)
    if role is not None:
        yield _Thing(AGENT_ROLE, as_object(role, kinds.CLUSTER_ROLE), ClusterRole, _others(role.metadata))


def _others(meta: ObjectMeta) -> tuple[str, ...]:
    return tuple(sorted({m.manager for m in meta.managed_fields if m.manager != MANAGER and m.subresource != "status"}))


# --- definitions ------------------------------------------------------------------------------------------------------


def _definitions(facts: Lookup, hop: Release, target: Mapping[str, Json], written: dict[str, str]) -> Draft:
    """Return steps for the definitions that *hop* needs: those that are not there, and older schemas of those that are.

    A schema is never taken back to an older one, and one that is none of AWS's is left alone. Neither has a way back, nor needs
    one: deleting a definition deletes all objects of its kind, and no older version minds a definition or what it allows more.
    """
    shipped = {o["metadata"]["name"]: o for o in target.values() if o["kind"] == kinds.DEFINITION.name}
    needed = {o["metadata"]["name"]: o for o in needed_definitions(agent_of(hop))}
    crds = {crd.name: crd for crd in need(facts, "crds")}
    draft = Draft()
    for name, wanted in (shipped | needed).items():
        digest = _digest(wanted)
        if name not in written:
            draft += Draft(steps=(_creating(name, wanted, hop),))
            written[name] = digest
        elif name in crds and _is_older(name, written[name], digest):
            draft += Draft(steps=(_renewing(crds[name], wanted, hop),))
            written[name] = digest
    return draft


def _digest(crd: Json) -> str:
    return schema_digest({v["name"]: v.get("schema") or {} for v in crd["spec"]["versions"]})


def _is_older(name: str, live: str, wanted: str) -> bool:
    released = [d.digest for d in definitions() if d.name == name]
    return live in released and wanted in released and released.index(live) < released.index(wanted)


def _creating(name: str, wanted: Json, hop: Release) -> Step:
    return Step(
        id=f"define-{name.partition('.')[0]}-{hop}",
        title=f"Create the definition {name}, which {hop} needs",
        action=Create(wanted),
        until=Established(name),
    )


def _renewing(crd: CustomResourceDefinition, wanted: Json, hop: Release) -> Step:
    head = {"apiVersion": kinds.DEFINITION.api_version, "kind": kinds.DEFINITION.name, "metadata": {"name": crd.name}}
    takes = tuple(Taking(".spec.versions", m) for m in _others(crd.metadata))
    return Step(
        id=f"renew-{crd.name.partition('.')[0]}-{hop}",
        title=f"Give the definition {crd.name} the schema of {hop}",
        action=Apply({**head, "spec": {"versions": wanted["spec"]["versions"]}}, takes, keeps=True),
        until=Established(crd.name),
    )


# --- objects ----------------------------------------------------------------------------------------------------------


def _permissions(
    things: Mapping[str, _Thing], base: Mapping[str, Json], target: Mapping[str, Json], hop: Release, *, needed: Sequence[Json]
) -> Draft:
    """Return the step that grants what *hop* reads. A list of rules is one field to the API server, so it is written whole."""
    thing = things.get(str(AGENT_ROLE))
    old, new = (objects[str(AGENT_ROLE)]["rules"] for objects in (base, target))
    if thing is None:
        named = f"there is no ClusterRole {ROLE}: see that the service account of aws-node may do what {hop} needs"
        return Draft(warnings=(named,)) if old != new else Draft()
    live = thing.live.get("rules", [])
    rules = merged_rules(old, live, new, needed)
    if rules == live:
        return Draft()
    wanted, before = _role(rules), _role(live)
    takes = tuple(Taking(".rules", m) for m in thing.managers)
    thing.live, thing.managers, thing.paths[".rules"] = {**thing.live, "rules": rules}, (), None
    step = Step(
        id=f"permissions-{hop}",
        title=f"Give ClusterRole {ROLE} the rules of {hop}",
        action=Apply(wanted, takes, keeps=True),
        until=Holds(wanted),
        undo=Undo(f"Give ClusterRole {ROLE} its former rules", Apply(before, keeps=True), Holds(before)),
    )
    return Draft(steps=(step,))


def _role(rules: list[Json]) -> Json:
    return {"apiVersion": AGENT_ROLE.api_version, "kind": AGENT_ROLE.kind, "metadata": {"name": ROLE}, "rules": rules}


def _for_annotations(cni: VpcCni) -> list[Json]:
    """Return the rule that a CNI which annotates pods needs: manifests v1.18.4 to v1.18.6 had it for everybody."""
    if not is_true(cni.env.get("ANNOTATE_POD_IP")):
        return []
    return [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]


def _merged(things: Mapping[str, _Thing], ref: str, base: Mapping[str, Json], target: Mapping[str, Json], hop: Release) -> Draft:
    """Return the step that brings one object to *hop*, nothing where it is not there or nothing changes."""
    thing = things.get(ref)
    if thing is None:
        return Draft()
    merge = three_way(base[ref], thing.live, target[ref])
    facts = tuple(f"{ref}: {what} was changed here and stays as it is" for what in merge.kept)
    drops = tuple(paths.text(path) for path in merge.gone if _is_ours(thing.live, path))
    if merge.wanted is None or merge.before is None:
        return Draft(facts=facts)
    takes = tuple(Taking(c.path, m) for c in conflicts(thing.live, merge.wanted) for m in c.managers)
    added = tuple(paths.text(path) for path in merge.added)
    for difference in differences(thing.live, merge.wanted):
        thing.paths[difference.path] = None
    sent = kept(thing.live, merge.wanted, drops=drops)
    thing.live = applied(thing.live, sent, manager=MANAGER, force=True, now=_NOW)
    step = Step(
        id=f"{thing.ref.name}-{hop}",
        title=f"Bring {ref} to {hop}",
        action=Apply(merge.wanted, takes, keeps=True, drops=drops),
        until=Holds(merge.wanted, without=drops),
        undo=Undo(f"Put {ref} back", Apply(merge.before, keeps=True, drops=added), Holds(merge.before, without=added)),
    )
    return Draft(steps=(step,), facts=facts)


def _is_ours(live: Json, path: paths.Path) -> bool:
    """Say whether nobody but this tool owns what is at *path* and below it, so that leaving it out takes it away."""
    meta = live["metadata"].get("managedFields") or ()
    holders = [who for owned, who in owners(meta).items() if owned[: len(path)] == path]
    return bool(holders) and all(who == {MANAGER} for who in holders)


def rolled(hop: Release, rolls: Rollout | None) -> Step:
    """Return the look that waits until every node runs *hop*; an upgrade has one for each version on its way."""
    return Step(
        id=f"roll-out-{hop}",
        title=f"Wait until aws-node has rolled out on every node with {hop}",
        action=Look(),
        until=ROLLED,
        patience=patience(rolls),
        disrupts=disruption(rolls),
    )


def _changes(thing: _Thing) -> Iterator[FieldChange]:
    by_text = {
        paths.text(path): tuple(sorted(who)) for path, who in owners(thing.first["metadata"].get("managedFields") or ()).items()
    }
    for path in thing.paths:
        before, after = (None if (v := value_at(obj, path)) is ABSENT else v for obj in (thing.first, thing.live))
        if before != after:
            yield FieldChange(str(thing.ref), path, said(before), said(after), owners_at(by_text, path) or thing.managers)


def _said(cni: VpcCni, hops: Sequence[Release]) -> Draft:
    """Return what to know of a merge of manifests, whatever the versions are."""
    spec = cni.workload.spec.template.spec
    ours = [c for c in (*spec.init_containers, *spec.containers) if c.name in history().repository]
    hosts = {ImageReference.parse(c.image).repository.partition("/")[0] for c in ours}
    named = " and ".join(f"{hop.base} (agent {agent_of(hop)})" for hop in hops)
    return Draft(
        facts=("pull policies stay as they are: a look does not tell what they are",),
        afterwards=(f"bring the manifest that you keep to {hops[-1]} as well: applied as it is, it would take the upgrade back",),
        warnings=tuple(f"{h} is no registry of AWS: it must hold the images of {named}" for h in sorted(hosts - _of_aws(hosts))),
        refusals=tuple(_pinned(c, hops[-1]) for c in ours if images_like(c.image, hops[-1]) is None),
    )


def _pinned(container: Container, target: Release) -> Refusal:
    return Refusal(
        f"container {container.name} runs {container.image}, which is pinned by digest or has a tag of its own: "
        f"what the image of {target} is called there cannot be told. Name the images by release first"
    )


def _of_aws(hosts: set[str]) -> set[str]:
    accounts = {history().registry.account, *history().registry.accounts.values()}
    return {h for h in hosts if ".dkr.ecr." in h and h.partition(".")[0] in accounts}
