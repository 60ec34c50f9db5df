"""Which EKS cluster a kubeconfig context says it is: by the two forms that tools write, and by nothing else."""

from __future__ import annotations

import re

import msgspec

_ARN = re.compile(r"arn:aws[a-z-]*:eks:([a-z0-9-]+):(\d{12}):cluster/([0-9A-Za-z][A-Za-z0-9_-]{0,99})")
_EKSCTL = re.compile(r"(?:.+@)?([0-9A-Za-z][A-Za-z0-9_-]{0,99})\.([a-z]{2}(?:-[a-z]+)+-\d)\.eksctl\.io")


class NamedCluster(msgspec.Struct, frozen=True):
    """A cluster's name and region; its account where the name tells."""

    cluster: str
    region: str
    account: str = ""


def cluster_of(*names: str) -> NamedCluster | None:
    """Return the cluster the first of *names* stands for that stands for one.

    *names* are a context's name and its cluster entry's: ``aws eks update-kubeconfig`` names both by the cluster's ARN (the
    context may have an alias), eksctl by ``user@cluster.region.eksctl.io``. A name merely holding a cluster's says nothing.
    """
    for name in names:
        if arn := _ARN.fullmatch(name):
            return NamedCluster(arn[3], arn[1], arn[2])
        if eksctl := _EKSCTL.fullmatch(name):
            return NamedCluster(eksctl[1], eksctl[2])
    return None
