"""What runs here, where an upgrade goes and by which versions, read from a look at a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from eksnetpol.assets.history import known_releases
from eksnetpol.assets.releases import matrix
from eksnetpol.errors import EksNetpolError
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import Install, Manager
from eksnetpol.model.eks import Addon
from eksnetpol.model.plan import Refusal
from eksnetpol.model.snapshot import Seen
from eksnetpol.model.versions import Release
from eksnetpol.planning.market import FIRST, Market, Road, offers
from eksnetpol.planning.options import UpgradeOptions
from eksnetpol.planning.reading import from_a_cluster, known, need


@dataclass(frozen=True, slots=True)
class Journey:
    """Where the VPC CNI is and where it goes. For a managed add-on versions are EKS's builds, else upstream's releases."""

    manager: Manager
    market: Market
    running: Release
    road: Road


def versions_on_the_way(facts: Lookup, wanted: UpgradeOptions) -> tuple[str, ...]:
    """Return the add-on versions on the way, whose schemas the plan is to know; none where EKS does not manage the add-on.

    Raises as `journey`.
    """
    from_a_cluster(facts)
    install: Install = need(facts, "install")
    return tuple(map(str, journey(facts, wanted).road.hops)) if install.manager is Manager.ADDON else ()


def journey(facts: Lookup, wanted: UpgradeOptions) -> Journey:
    """Return the way to the version in *wanted*.

    Raises `UsageError` for a version there is not, `Denied` or `EksNetpolError` where what runs or what is on offer was not read.
    """
    install: Install = need(facts, "install")
    family = "ipv6" if known(facts, "ip_family") == "ipv6" else "ipv4"
    if install.manager is Manager.ADDON:
        addon: Addon = need(facts, "addon")
        running = Release.try_parse(addon.addon_version)
        if running is None:
            raise EksNetpolError(f"the add-on's version {addon.addon_version!r} is none that this tool can read")
        version = need(facts, "kubernetes_version")
        market = Market(offers(need(facts, "addon_releases"), version), f"for Kubernetes {version} EKS offers", matrix(), family)
    else:
        running = need(facts, "cni_release")
        market = Market(known_releases(), "of upstream's releases this tool knows", matrix(), family)
    return Journey(install.manager, market, running, market.road(running, market.choose(wanted.to)))


def unknown(facts: Lookup) -> Refusal | None:
    """Return why what runs is not a release from which a self-managed VPC CNI can be upgraded; None where it is."""
    found = facts.get("cni_release")
    if not isinstance(found, Seen):
        why = f"which VPC CNI runs cannot be told, so neither can what people changed in it: {found.reason}"
        return Refusal(f"{why}. Name the image by a tag with its release, then run this again")
    if found.value.base < FIRST:
        return Refusal(
            f"VPC CNI {found.value} is older than {FIRST}, the first whose manifest is known here: apply upstream's own manifest "
            f"of a {FIRST.major}.{FIRST.minor} release first (AWS advises one minor version at a time)"
        )
    return None
