"""What may flow; pure and exact. Thinks in sets: of endpoint classes, of addresses, of ports.

The names below are the library; they are imported when they are used::

    from eksnetpol import policy, read_manifests

    world = policy.World.of(read_manifests(["k8s/"]))
    engine = policy.build_engine(world, policy.Profile(policy.Semantics.VPC_CNI))
    source, destination = (policy.resolve(name, engine).party for name in ("shop/web", "shop/db"))
    print(engine.decide(source, destination, "TCP", 5432).allowed)
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "Addresses",
    "Answer",
    "CidrSet",
    "Connections",
    "Decision",
    "Direction",
    "Engine",
    "Matrix",
    "Mode",
    "Pods",
    "PortSet",
    "Prediction",
    "Profile",
    "Semantics",
    "ServiceAddress",
    "Suggestion",
    "Workload",
    "World",
    "allowing",
    "build_engine",
    "diff",
    "predict",
    "resolve",
    "validate",
]

_PLACES = {
    "Addresses": "answers",
    "Answer": "answers",
    "CidrSet": "cidrs",
    "Connections": "connections",
    "Decision": "answers",
    "Direction": "rules",
    "Engine": "answers",
    "Matrix": "answers",
    "Mode": "profile",
    "Pods": "answers",
    "PortSet": "ports",
    "Prediction": "prediction.predict",
    "Profile": "profile",
    "Semantics": "profile",
    "ServiceAddress": "answers",
    "Suggestion": "suggest",
    "Workload": "answers",
    "World": "world",
    "allowing": "suggest",
    "build_engine": "engine",
    "diff": "difference:difference",
    "predict": "prediction.predict",
    "resolve": "parties",
    "validate": "validation",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module 'eksnetpol.policy' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _PLACES[name].partition(":")
    value = getattr(import_module(f"eksnetpol.policy.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
