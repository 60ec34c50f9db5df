"""From a stack of any dialect to NetworkPolicies under the VPC CNI: never wider than the source, with a verdict per rule."""

from __future__ import annotations

from eksnetpol.translation.translating import translate
from eksnetpol.translation.values import Judged, Options, Output, Translation, Verdict, Waiver, Witness

__all__ = ["Judged", "Options", "Output", "Translation", "Verdict", "Waiver", "Witness", "translate"]
