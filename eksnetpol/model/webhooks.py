"""What a person may do about an admission webhook that does not answer and without which nothing is written."""

from __future__ import annotations

import re

_UNANSWERED = re.compile(r'failed calling webhook "([^"]*)"')


def unanswered(message: str) -> str:
    """Return what to do where an API server's *message* says that it could not ask a webhook; empty where it says no such thing.

    The words are kube-apiserver's (``apiserver/pkg/admission/plugin/webhook/errors``), for webhooks whose failure policy is Fail.
    """
    found = _UNANSWERED.search(message)
    if found is None:
        return ""
    return (
        f"webhook {found[1]} has to be asked before this is written, does not answer, and fails closed: mend the Service behind "
        "it, or take the webhook away where nobody needs it; which configuration has it tells kubectl get "
        "validatingwebhookconfigurations,mutatingwebhookconfigurations -o wide"
    )
