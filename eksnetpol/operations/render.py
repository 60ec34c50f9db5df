"""A change written for whoever owns the VPC CNI instead of carried out: the same look, the same plan, another ending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eksnetpol.errors import Refused, UsageError
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.facts.owners import THE_ADDON, Owners, Tool
from eksnetpol.facts.vpc_cni import NAMESPACE, VpcCni
from eksnetpol.model.eks import Addon, AddonSchema
from eksnetpol.model.plan import Plan, Way
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Seen
from eksnetpol.model.versions import Release
from eksnetpol.operations.lifecycle import Options, prepare
from eksnetpol.planning.options import EnableOptions
from eksnetpol.reporting.render import languages_for, write
from eksnetpol.reporting.render.order import HelmRelease, Order

OWNER = "--take-over"
"""The flag of a refusal that says somebody else owns the object: that owner is who a rendering is for."""

_LANGUAGE_OF = {
    Tool.TERRAFORM: "terraform",
    Tool.CLOUDFORMATION: "cloudformation",
    Tool.EKSCTL: "eksctl",
    Tool.HELM: "helm-values",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document in ``language``, empty where nothing is left to do, and what else there is to say."""

    language: str
    text: str
    notes: tuple[str, ...]


def render(
    snapshot: ClusterSnapshot,
    wanted: Options,
    language: str | None = None,
    settings: Settings | None = None,
    *,
    schemas: Mapping[str, AddonSchema] | None = None,
) -> Rendered:
    """Return the change that *wanted* means in *language*, by default that of the tool that owns the VPC CNI.

    Raises `Refused` where the language does not fit or there is no plan, `UsageError` where no owner tells the language, and as
    `operations.lifecycle.prepare` does.
    """
    plan = prepare(snapshot, wanted, settings, schemas=schemas).plan
    facts = Lookup(snapshot)
    order = order_of(facts, plan, wanted)
    refusals = [r for r in plan.refusals if r.flag != OWNER]
    if not plan.steps and not plan.refusals:
        name = language or languages_for(order)[0]
        return Rendered(name, "", (f"nothing is left to do, and nothing was written: {plan.title or plan.target.title}",))
    if not plan.steps and (refusals or plan.way is not Way.HELM):
        raise Refused((refusals or plan.refusals)[0].why)
    chosen = language or _of_owner(facts, order)
    notes = tuple(f"eksnetpol itself would stop here: {r.why}" for r in refusals)
    return Rendered(chosen, write(order, chosen), notes)


def order_of(facts: Lookup, plan: Plan, wanted: Options) -> Order:
    """Return *plan* with what its languages ask for besides; what could not be read is left out."""
    catalog()
    cni, addon, family = _known(facts, "vpc_cni"), _known(facts, "addon"), _known(facts, "ip_family")
    release = _known(facts, "cni_release")
    installed = cni if isinstance(cni, VpcCni) else None
    return Order(
        plan=plan,
        addon=addon if isinstance(addon, Addon) else None,
        helm=None if installed is None else _helm(installed, release if isinstance(release, Release) else None),
        values=wanted.values if isinstance(wanted, EnableOptions) else {},
        needs_agent=installed is not None and installed.agent is None,
        family=family if isinstance(family, str) else "",
    )


def _known(facts: Lookup, name: str) -> object:
    found = facts.get(name)
    return found.value if isinstance(found, Seen) else None


def _helm(cni: VpcCni, release: Release | None) -> HelmRelease:
    notes = cni.workload.metadata.annotations
    name = notes.get("meta.helm.sh/release-name", "aws-vpc-cni")
    namespace = notes.get("meta.helm.sh/release-namespace", NAMESPACE)
    return HelmRelease(name, namespace, "" if release is None else str(release.base))


def _of_owner(facts: Lookup, order: Order) -> str:
    fitting = languages_for(order)
    owners = _known(facts, "owners")
    found = owners.of(THE_ADDON) if isinstance(owners, Owners) else ()
    named = {_LANGUAGE_OF[o.tool] for o in found if o.tool in _LANGUAGE_OF} & set(fitting)
    if len(named) == 1:
        return named.pop()
    if len(fitting) == 1:
        return fitting[0]
    raise UsageError(f"nothing here tells who owns the VPC CNI; say for whom it is to be written: --as {', '.join(fitting)}")
