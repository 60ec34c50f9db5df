"""Kinds of other engines: their policies and what these refer to, and the objects by which their operators are told what to do.

Names as their projects' definitions have them (projectcalico/calico, tigera/operator, cilium/cilium). Calico's policies are two
kinds: as its own API server shows them, and as they are stored.
"""

from __future__ import annotations

from eksnetpol.model.kind import Kind

_TIGERA = "operator.tigera.io"
_STORED = "crd.projectcalico.org"
_CALICO = "projectcalico.org"
_CILIUM = "cilium.io"

INSTALLATION = Kind("Installation", "installations", _TIGERA, namespaced=False)
CALICO_API_SERVER = Kind("APIServer", "apiservers", _TIGERA, namespaced=False)
WHISKER = Kind("Whisker", "whiskers", _TIGERA, namespaced=False)
GOLDMANE = Kind("Goldmane", "goldmanes", _TIGERA, namespaced=False)
IMAGE_SET = Kind("ImageSet", "imagesets", _TIGERA, namespaced=False)
TIGERA_STATUS = Kind("TigeraStatus", "tigerastatuses", _TIGERA, namespaced=False)

OPERATOR_KINDS = (INSTALLATION, CALICO_API_SERVER, WHISKER, GOLDMANE, IMAGE_SET, TIGERA_STATUS)

_CALICO_POLICIES = (
    ("GlobalNetworkPolicy", "globalnetworkpolicies", False),
    ("GlobalNetworkSet", "globalnetworksets", False),
    ("HostEndpoint", "hostendpoints", False),
    ("NetworkPolicy", "networkpolicies", True),
    ("NetworkSet", "networksets", True),
    ("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", False),
    ("StagedKubernetesNetworkPolicy", "stagedkubernetesnetworkpolicies", True),
    ("StagedNetworkPolicy", "stagednetworkpolicies", True),
    ("Tier", "tiers", False),
)
CALICO_STORED = tuple(Kind(name, plural, _STORED, "v1", spaced) for name, plural, spaced in _CALICO_POLICIES)
"""Calico's policies and what they refer to, as they are stored."""

CALICO_SHOWN = tuple(Kind(name, plural, _CALICO, "v3", spaced) for name, plural, spaced in _CALICO_POLICIES)
"""The same, as Calico's API server, or native definitions of its group, show them."""

FELIX_CONFIGURATION = Kind("FelixConfiguration", "felixconfigurations", _STORED, namespaced=False)
IP_POOL = Kind("IPPool", "ippools", _STORED, namespaced=False)
CALICO_SETTINGS = (
    FELIX_CONFIGURATION,
    IP_POOL,
    *(
        Kind(name, plural, _STORED, namespaced=False)
        for name, plural in (
            ("BGPConfiguration", "bgpconfigurations"),
            ("BGPFilter", "bgpfilters"),
            ("BGPPeer", "bgppeers"),
            ("BlockAffinity", "blockaffinities"),
            ("CalicoNodeStatus", "caliconodestatuses"),
            ("ClusterInformation", "clusterinformations"),
            ("IPAMBlock", "ipamblocks"),
            ("IPAMConfig", "ipamconfigs"),
            ("IPAMHandle", "ipamhandles"),
            ("IPReservation", "ipreservations"),
            ("KubeControllersConfiguration", "kubecontrollersconfigurations"),
        )
    ),
)
"""What Calico keeps beside policies."""

CILIUM_POLICIES = tuple(
    Kind(name, plural, _CILIUM, "v2", spaced)
    for name, plural, spaced in (
        ("CiliumCIDRGroup", "ciliumcidrgroups", False),
        ("CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", False),
        ("CiliumNetworkPolicy", "ciliumnetworkpolicies", True),
    )
)
"""Cilium's policies and what they refer to."""

CILIUM_STATE = tuple(
    Kind(name, plural, _CILIUM, "v2", spaced)
    for name, plural, spaced in (
        ("CiliumEndpoint", "ciliumendpoints", True),
        ("CiliumIdentity", "ciliumidentities", False),
        ("CiliumNode", "ciliumnodes", False),
        ("CiliumNodeConfig", "ciliumnodeconfigs", True),
    )
)
"""What Cilium writes of itself."""

ENGINE_KINDS: tuple[Kind, ...] = (
    *OPERATOR_KINDS, *CALICO_STORED, *CALICO_SHOWN, *CALICO_SETTINGS, *CILIUM_POLICIES, *CILIUM_STATE,
)  # fmt: skip
