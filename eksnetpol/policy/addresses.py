"""Addresses as integers: families, blocks, containment. Bad CIDRs are None, for the check whose business they are."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IMDS = ("169.254.169.254/32", "fd00:ec2::254/128")
"""The instance metadata service, IPv4 and IPv6."""

POD_IDENTITY_AGENT = ("169.254.170.23/32", "fd00:ec2::23/128")
"""The EKS Pod Identity agent, IPv4 and IPv6; it answers on TCP port 80."""

NODE_LOCAL_DNS = "169.254.20.10/32"
"""Where NodeLocal DNSCache commonly listens."""


NOT_PUBLIC = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
    "::/3",
    "4000::/2",
    "8000::/1",
)
"""Blocks without addresses of the internet, by IANA's registries; what has special uses beside them is too little to matter."""


@lru_cache(maxsize=1 << 16)
def parse_cidr(text: str) -> Network | None:
    """Return *text* as a network (host bits cut off; a bare address is a /32 or /128), None where it is none."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def family_of(text: str) -> str | None:
    """Return ``ipv4`` or ``ipv6``, None where *text* is no CIDR."""
    network = parse_cidr(text)
    return None if network is None else f"ipv{network.version}"


def covers(outer: str, inner: str) -> bool:
    """Say whether every address of *inner* is in *outer*; False across families and for what is no CIDR."""
    a, b = parse_cidr(outer), parse_cidr(inner)
    if a is None or b is None or a.version != b.version:
        return False
    return int(a.network_address) <= int(b.network_address) and int(b.broadcast_address) <= int(a.broadcast_address)


def overlaps(left: str, right: str) -> bool:
    """Say whether two blocks share an address."""
    a, b = parse_cidr(left), parse_cidr(right)
    if a is None or b is None or a.version != b.version:
        return False
    return int(a.network_address) <= int(b.broadcast_address) and int(b.network_address) <= int(a.broadcast_address)


def holds(network: Network, address: int) -> bool:
    """Say whether *address*, a number of the same family, is in *network*."""
    return int(network.network_address) <= address <= int(network.broadcast_address)
