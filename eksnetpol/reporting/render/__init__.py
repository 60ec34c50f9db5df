"""A plan written for whoever owns the object, instead of carried out: infrastructure code, values, manifests, commands.

`write` is the way in. Each module writes one language and has ``write(order) -> str``; which of them makes sense follows from
how ``aws-node`` is installed, and the others are refused with the one that does. A document has a comment at its top that says
what it does and where it goes; what it cannot express is in that comment, in the order it is to be done.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from eksnetpol.errors import Refused
from eksnetpol.model.plan import Way
from eksnetpol.reporting.render.order import Order

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "terraform": "terraform",
        "cloudformation": "cloudformation",
        "cdk": "cdk",
        "eksctl": "eksctl",
        "helm-values": "helm_values",
        "kubectl": "kubectl",
        "aws-cli": "aws_cli",
    }
)
"""Module of this package that writes each language."""

OF_ADDON = ("terraform", "cloudformation", "cdk", "eksctl", "aws-cli")
"""Those that speak of an add-on that EKS manages."""


def write(order: Order, language: str) -> str:
    """Return *order* in *language*; raise `Refused` where that is not how this cluster's VPC CNI is changed."""
    fitting = languages_for(order)
    if language not in fitting:
        raise Refused(_why_not(order, language, fitting))
    made: str = importlib.import_module(f"eksnetpol.reporting.render.{LANGUAGES[language]}").write(order)
    return made


def languages_for(order: Order) -> tuple[str, ...]:
    """Return the languages that *order* can be written in, the most usual first."""
    if order.plan.way is Way.HELM:
        return ("helm-values",)
    addon = OF_ADDON if order.addon_steps else ()
    return (*addon, "kubectl") if order.object_steps or not addon else addon


def _why_not(order: Order, language: str, fitting: tuple[str, ...]) -> str:
    way = order.plan.way or Way.MANIFEST
    name = order.plan.target.title
    installed = {
        Way.ADDON: f"EKS manages the VPC CNI of {name} as an add-on, and would set back what others write",
        Way.HELM: f"a Helm release owns the VPC CNI of {name}, and sets back what others write",
        Way.MANIFEST: f"the VPC CNI of {name} is a self-managed manifest, and no add-on or chart would change it",
        Way.AUTO_MODE: f"{name} has EKS Auto Mode, which is set by a ConfigMap and NodeClasses",
    }[way]
    adopt = "; --adopt makes it an add-on" if way is Way.MANIFEST and language in OF_ADDON and order.plan.verb == "enable" else ""
    return f"--as {language} does not fit: {installed}; --as {' or '.join(fitting)} does{adopt}"
