"""The managed add-on's configuration values held against what runs: each setting where it ends up, and what is there.

An update with PRESERVE keeps what was changed by hand, so the add-on can be told one thing while another runs
(aws/amazon-vpc-cni-k8s#2272).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.facts.configuration import ADDRESS_FLAGS, AGENT_FLAGS, leaves, text_of, variable
from eksnetpol.facts.declare import fact
from eksnetpol.facts.vpc_cni import CONTROLLER_KEY, Switches, VpcCni
from eksnetpol.model.snapshot import Unread, Why

NOT_THERE = "absent"
"""What a setting is that nobody wrote."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``path`` is its key in the configuration values, ``place`` where it ends up: a variable, a flag, a key.

    ``of_switch`` is True where that is the ConfigMap and not the DaemonSet.
    """

    path: str
    wanted: str
    place: str
    live: str | Unread
    of_switch: bool = False

    @property
    def differs(self) -> bool:
        """True when something else is known to be there; a switch that is not there is off."""
        if isinstance(self.live, Unread) or self.live == self.wanted:
            return False
        return not (self.of_switch and self.wanted == "false" and self.live == NOT_THERE)

    def __str__(self) -> str:
        """Return what is there: ``--enable-network-policy=false``."""
        return f"{self.place}={self.live.reason if isinstance(self.live, Unread) else self.live}"


@fact
def told(
    addon_values: Mapping[str, Any] | None, vpc_cni: VpcCni | None, switches: Switches | Unread
) -> tuple[Setting, ...] | Unread | None:
    """Every setting that the add-on was told and that can be looked up; None where EKS does not manage the VPC CNI."""
    if addon_values is None:
        return None
    if vpc_cni is None:
        return Unread("there is no aws-node DaemonSet", Why.ABSENT)
    return tuple(_settings(addon_values, vpc_cni, switches))


def _settings(values: Mapping[str, Any], cni: VpcCni, switches: Switches | Unread) -> Iterator[Setting]:
    for path, value in leaves(values):
        wanted = text_of(value)
        for place, live in _live(path, cni):
            yield Setting(path, wanted, place, live)
        if path == "enableNetworkPolicy":
            switch = switches if isinstance(switches, Unread) else switches.controller_value or NOT_THERE
            yield Setting(path, wanted, CONTROLLER_KEY, switch, of_switch=True)


def _live(path: str, cni: VpcCni) -> Iterator[tuple[str, str | Unread]]:
    """Yield where a key ends up and what is there."""
    if path.startswith("env."):
        name = path.removeprefix("env.")
        found = variable(cni.cni, name)
        if found is None:
            yield name, NOT_THERE
        else:
            yield name, Unread("its value is not to be seen") if found.value is None else found.value
    elif path in AGENT_FLAGS and cni.agent is not None:
        flag = AGENT_FLAGS[path]
        value = cni.args.get(flag, NOT_THERE)
        yield f"--{flag}", value.removeprefix(":") if flag in ADDRESS_FLAGS else value
