"""Images of the VPC CNI in somebody's own registry: where they come from today says where the next release comes from."""

from __future__ import annotations

from eksnetpol.assets.history import history
from eksnetpol.model.versions import ImageReference, Release


def images_like(live_image: str, release: Release) -> str | None:
    """Return *live_image* with the tag of *release*, its registry and repository kept.

    None where it cannot be told: the image is pinned by digest, or its tag names no release, so that a registry's own way of
    naming is not known. Whether that registry holds the other tag nobody can say here. A build (``-eksbuild.N``) comes from
    *release* alone: those of the running image are the managed add-on's own.
    """
    live = ImageReference.parse(live_image)
    if live.digest or live.release is None:
        return None
    return f"{live.repository}:{release}"


def image_beside(live_image: str, container: str, release: Release) -> str | None:
    """Return the image of *container* from the registry that *live_image*, another container's, comes from.

    None where the repository of *live_image* is none of AWS's names, so that the mirror's naming is not known.
    """
    live = ImageReference.parse(live_image)
    # The longest first: the init container's name starts with the CNI's.
    for known in sorted(history().repository.values(), key=len, reverse=True):
        if live.repository == known or live.repository.endswith(f"/{known}"):
            return f"{live.repository.removesuffix(known)}{history().repository[container]}:{release}"
    return None


def registry_of(region: str) -> str:
    """Return the host of the registry that AWS serves *region* from.

    Regions whose registry is another account's are listed as far as they are known; any other is taken to be served by the
    account that most are.
    """
    return history().registry.host(region)
