"""Proofs over all pods that could ever exist: the policies of another engine against the NetworkPolicies that come after them."""

from __future__ import annotations

from eksnetpol.proof.symbolic import Counterexample, NoSolverError, Outcome, Proved, Unsettled, prove

__all__ = ["Counterexample", "NoSolverError", "Outcome", "Proved", "Unsettled", "prove"]
