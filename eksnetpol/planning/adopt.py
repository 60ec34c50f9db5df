"""Letting EKS manage a VPC CNI that it does not manage today, and enabling it then.

Two steps, so that each has a way back: the add-on is created as things are, with what was set by hand as its configuration, and
only then told to enforce. The version is the one that runs, so that nothing but the management changes in the first step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eksnetpol.errors import EksNetpolError
from eksnetpol.facts.addon_document import SWITCH
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.owners import THE_ADDON, Owner, Owners, Tool
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import Install, Manager, VpcCni
from eksnetpol.model.actions import CreateAddon, DeleteAddon, UpdateAddon
from eksnetpol.model.conditions import AddonGone, AddonIs
from eksnetpol.model.eks import AddonRelease, AddonSchema, PodIdentityAssociation
from eksnetpol.model.kubernetes import ServiceAccount
from eksnetpol.model.plan import FieldChange, Refusal, Step, Undo
from eksnetpol.model.versions import KubernetesVersion, Release
from eksnetpol.planning import looks, places, refusals
from eksnetpol.planning.draft import Draft, refused
from eksnetpol.planning.enable_addon import crashing, switched_on
from eksnetpol.planning.folding import Folding, fold
from eksnetpol.planning.merge import Merged, merged, schema_for
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.reading import known, need
from eksnetpol.planning.rollout import patience, rollout

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
_SERVICE_ACCOUNT = ("kube-system", "aws-node")


@dataclass(frozen=True, slots=True)
class _Adoption:
    """What EKS is told: its version, the configuration before and after, and the role the pods have today."""

    version: str
    before: Merged
    after: Merged
    folding: Folding
    role: str


def version_to_adopt(facts: Lookup) -> str:
    """Return the add-on's version that adopting would run, whose schema it needs; empty where it would be refused."""
    if need(facts, "addon") is not None:
        return ""
    return _version(facts, need(facts, "vpc_cni"))[0]


def adopt(facts: Lookup, wanted: EnableOptions, schemas: Mapping[str, AddonSchema]) -> Draft:
    """Return how EKS takes the VPC CNI over and enables it; raise as `need` where a section is unread.

    *schemas* are those of add-on versions, by version: a look reads none where EKS manages nothing.
    """
    install: Install = need(facts, "install")
    if need(facts, "addon") is not None:
        return refused(Refusal("EKS manages the VPC CNI of this cluster already: leave --adopt out"))
    owners: Owners = need(facts, "owners")
    of_helm = [o for o in owners.of(str(places.AWS_NODE)) if o.tool is Tool.HELM]
    if install.manager is Manager.HELM and any(o.certain for o in of_helm):
        return refused(
            Refusal(
                f"{install.evidence}, and a release and an add-on would take turns writing the same objects: "
                "uninstall the release first (keep its objects), or enable through Helm, without --adopt"
            )
        )
    cni: VpcCni | None = need(facts, "vpc_cni")
    version, why = _version(facts, cni)
    if not version:
        return refused(Refusal(why))
    adoption = _adoption(facts, wanted, version, schemas.get(version))
    rolls = rollout(facts)
    things = (THE_ADDON, str(places.AWS_NODE), str(places.SETTINGS))
    return Draft(
        steps=tuple(
            _steps(
                adoption,
                both_on=need(facts, "switches").both_on,
                wait=patience(rolls),
                disrupts=looks.disruption(rolls),
                stays=crashing(known(facts, "agent_release")),
            )
        )
        + tuple(looks.switched("true"))
        + (looks.rolled_out(rolls),),
        changes=(*_changes(adoption), *switched_on(facts, need(facts, "switches"), cni)),
        facts=(why, *_role_words(facts, adoption)),
        warnings=(*_warnings(adoption), *_helm_words(of_helm)),
        refusals=(
            *(Refusal(f"EKS would refuse the configuration: {p.path}: {p.what}") for p in adoption.after.refused),
            *refusals.foreign(owners, things, but=(Tool.HELM,)),
        ),
    )


def _version(facts: Lookup, cni: VpcCni | None) -> tuple[str, str]:
    """Return the add-on's version to run and why it is that one; an empty one with the reason why there is none."""
    if cni is None:
        return _first_version(facts)
    release = facts.get("cni_release")
    running: Release | None = known(facts, "cni_release")
    if running is None:
        return "", f"which VPC CNI runs cannot be told, so neither can the add-on's version: {getattr(release, 'reason', '')}"
    need(facts, "addon_releases")
    changing: Changing = need(facts, "changing")
    builds = [r for r in changing.offered if r.base == running.base]
    if not builds:
        return "", (
            f"EKS offers no add-on version for VPC CNI {running.base} on this cluster, or only one never to run: "
            "go to a release that it offers first: eksnetpol upgrade"
        )
    found = running if running in builds else max(builds)
    return str(found), f"the add-on's version is {found}, the build of the VPC CNI that runs"


def _first_version(facts: Lookup) -> tuple[str, str]:
    kinds: NodeKinds = need(facts, "node_kinds")
    if kinds.linux_ec2:
        return "", (
            f"there is no aws-node, yet there are {looks.counted(len(kinds.linux_ec2), 'node')} for it: another CNI serves them, "
            "and a second one beside it would break their pods"
        )
    offered: tuple[AddonRelease, ...] = need(facts, "addon_releases")
    kubernetes: KubernetesVersion = need(facts, "kubernetes_version")
    for release in offered:
        if any(c.default_version and c.cluster_version == str(kubernetes) for c in release.compatibilities):
            return (
                release.addon_version,
                f"the add-on's version is {release.addon_version}, EKS's default for Kubernetes {kubernetes}",
            )
    return "", f"EKS names no default version of the add-on vpc-cni for Kubernetes {kubernetes}"


def _adoption(facts: Lookup, wanted: EnableOptions, version: str, found: AddonSchema | None) -> _Adoption:
    schema = schema_for(found, version)
    if schema is None:
        raise EksNetpolError(
            f"the configuration schema of the add-on vpc-cni {version} was not read, so what EKS would accept cannot be told: "
            "allow eks:DescribeAddonConfiguration and look again"
        )
    folding = fold(facts, schema, but=(SWITCH, *wanted.values)) if known(facts, "vpc_cni") is not None else Folding()
    both_on = need(facts, "switches").both_on
    settings = {**folding.values, **wanted.values}
    before = merged({}, {SWITCH: "true" if both_on else "false", **settings}, schema)
    after = merged({}, {SWITCH: "true", **settings}, schema)
    return _Adoption(version, before, after, folding, _role(facts))


def _role(facts: Lookup) -> str:
    accounts: tuple[ServiceAccount, ...] = need(facts, "service_accounts")
    account = next((a for a in accounts if (a.metadata.namespace, a.metadata.name) == _SERVICE_ACCOUNT), None)
    return "" if account is None else account.metadata.annotations.get(ROLE_ANNOTATION, "")


def _role_words(facts: Lookup, adoption: _Adoption) -> Iterator[str]:
    identities: tuple[PodIdentityAssociation, ...] = need(facts, "pod_identities")
    if adoption.role:
        yield f"the role of the service account stays: {adoption.role}"
    elif any((i.namespace, i.service_account) == _SERVICE_ACCOUNT for i in identities):
        yield "the service account's EKS Pod Identity association stays as it is"
    else:
        yield "aws-node has no role of its own and goes on using that of its nodes"


def _steps(adoption: _Adoption, *, both_on: bool, wait: float, disrupts: str, stays: str) -> Iterator[Step]:
    """Yield the steps; *stays* is why the switching on cannot be taken back, empty where it can."""
    version, role = adoption.version, adoption.role
    yield Step(
        id="create-addon",
        title=f"Let EKS manage the VPC CNI: create the add-on vpc-cni {version} (conflicts: OVERWRITE)",
        action=CreateAddon(version, adoption.before.text, "OVERWRITE", role),
        until=AddonIs(version, adoption.before.text, role),
        patience=max(1200.0, wait),
        undo=Undo("Let EKS manage the VPC CNI no longer, and keep its objects", DeleteAddon(preserve=True), AddonGone()),
        disrupts=disrupts,
    )
    if both_on:
        return
    undo = Undo(
        title="Tell the add-on to enforce no longer",
        action=UpdateAddon(version, adoption.before.text, "OVERWRITE", role),
        until=AddonIs(version, adoption.before.text, role),
    )
    yield Step(
        id="update-addon",
        # Whoever wrote the objects before owns with EKS what EKS left as it was, and all their settings are in its configuration.
        title=f"Update the add-on vpc-cni: {SWITCH} = true (conflicts: OVERWRITE)",
        action=UpdateAddon(version, adoption.after.text, "OVERWRITE", role),
        until=AddonIs(version, adoption.after.text, role),
        patience=max(1200.0, wait),
        undo=None if stays else undo,
        one_way=stays,
        disrupts=disrupts,
    )


def _changes(adoption: _Adoption) -> Iterator[FieldChange]:
    yield FieldChange(THE_ADDON, "version", None, adoption.version)
    for path, value in {**adoption.folding.values, SWITCH: "true"}.items():
        yield FieldChange(THE_ADDON, path, None, value)


def _helm_words(of_helm: list[Owner]) -> Iterator[str]:
    if of_helm:
        yield f"aws-node has a Helm label ({of_helm[0].evidence}) but names no release; EKS makes it so, a release may have too"


def _warnings(adoption: _Adoption) -> Iterator[str]:
    yield "EKS takes over every field of aws-node that its manifest has: a rollback gives the management back, not those fields"
    yield from adoption.folding.words()
