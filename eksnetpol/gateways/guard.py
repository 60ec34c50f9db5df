"""Is the cluster behind this kubeconfig the one that was named? Pure: two descriptions in, an answer out."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

import msgspec

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_HTTPS = 443


class Identity(msgspec.Struct, frozen=True):
    """How a cluster shows itself: where it answers, and who vouches for its certificate (PEM, empty where nobody does)."""

    server: str
    ca: str = ""
    verified: bool = True


def mismatch(named: str, kubeconfig: Identity, eks: Identity) -> str:
    """Return why *kubeconfig* is not known to be the cluster *named*, which EKS describes as *eks*; empty where it is.

    Hosts and ports are compared, and the sets of CA certificates; names, aliases and order mean nothing.
    """
    servers = f"kubeconfig: {kubeconfig.server}; DescribeCluster {named}: {eks.server}"
    if _place(kubeconfig.server) != _place(eks.server):
        return f"the kubeconfig's context belongs to another cluster than {named} ({servers})"
    if not kubeconfig.verified:
        return f"the kubeconfig does not verify the server's certificate, so nothing shows that it is {named} ({servers})"
    if _certificates(kubeconfig.ca) != _certificates(eks.ca):
        return f"the kubeconfig trusts another certificate authority than that of {named} ({servers})"
    return ""


def _place(server: str) -> tuple[str, int, str]:
    url = urlsplit(server if "//" in server else f"https://{server}")
    return (url.hostname or "").rstrip("."), url.port or _HTTPS, url.path.rstrip("/")


def _certificates(pem: str) -> frozenset[bytes]:
    return frozenset(base64.b64decode("".join(body.split())) for body in _PEM.findall(pem))
