"""EKS's half of `interfaces.acting.Hands` for a simulated cluster."""

from __future__ import annotations

from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.model.eks import Addon, Update
from eksnetpol.simulation.eks_of_snapshot import Control


class EksVerbs:
    """What is asked of EKS, one method each."""

    eks: Control

    def describe_addon(self, name: str) -> Addon | None:
        """Return the add-on, None where EKS manages none."""
        return self.eks.describe_addon(name)

    def addon_updates(self, name: str) -> tuple[Update, ...]:
        """Return the updates of an add-on, the newest first."""
        return self.eks.addon_updates(name)

    def describe_update(self, name: str, update: str) -> Update:
        """Return one update of an add-on; raise `errors.NotFound` where there is none."""
        return self.eks.describe_update(name, update)

    def update_addon(self, wanted: UpdateAddon, *, token: str) -> Update:
        """Start an update; the same *token* again starts nothing and returns the same update."""
        return self.eks.update_addon(wanted, token=token)

    def create_addon(self, wanted: CreateAddon, *, token: str) -> Addon:
        """Start creating the add-on; raise `errors.Exists` where there is one."""
        return self.eks.create_addon(wanted, token=token)

    def delete_addon(self, name: str, *, preserve: bool) -> None:
        """Start deleting the add-on; one that is not there is no error."""
        self.eks.delete_addon(name, preserve=preserve)
