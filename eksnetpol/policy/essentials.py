"""What isolated pods keep and what they lose of the traffic that nobody writes down, and the policies that would keep it."""

from __future__ import annotations

from collections.abc import Collection

from eksnetpol.policy.needs import Flow, Judging, Kind
from eksnetpol.policy.needs_into_pods import into_pods
from eksnetpol.policy.needs_of_accounts import accounts
from eksnetpol.policy.needs_of_names import names


def essentials(judge: Judging, skip: Collection[Kind] = ()) -> tuple[Flow, ...]:
    """Return all flows that pods which *judge* counts need, but for the kinds to *skip*; those that nobody needs are left out."""
    found = (*names(judge), *accounts(judge), *into_pods(judge))
    return tuple(flow for flow in found if flow.parts and flow.kind not in skip)
