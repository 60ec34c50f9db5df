from eksnetpol.policy.answers import (
    Addresses,
    Answer,
    Decision,
    Engine,
    Matrix,
    Pods,
    ServiceAddress,
    Workload,
)
from eksnetpol.policy.cidrs import CidrSet
from eksnetpol.policy.connections import Connections
from eksnetpol.policy.difference import difference as diff
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.parties import resolve
from eksnetpol.policy.ports import PortSet
from eksnetpol.policy.prediction.predict import Prediction, predict
from eksnetpol.policy.profile import Mode, Profile, Semantics
from eksnetpol.policy.rules import Direction
from eksnetpol.policy.suggest import Suggestion, allowing
from eksnetpol.policy.validation import validate
from eksnetpol.policy.world import World

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
