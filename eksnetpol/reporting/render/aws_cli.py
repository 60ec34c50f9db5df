"""The AWS CLI: a script for a POSIX shell that starts the change and waits for it.

No waiter of the CLI waits for an *update*, and ``addon-active`` takes an ACTIVE from before the update for its end, so the script
asks for the update by its id (measured: botocore's waiters; docs.aws.amazon.com/eks DescribeUpdate).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from eksnetpol.model.actions import CreateAddon, UpdateAddon
from eksnetpol.reporting.render.commands import commands_of
from eksnetpol.reporting.render.order import SERVICE_ACCOUNT, Order, comment, compact, head, values_of

_PAUSE = 5


def write(order: Order) -> str:
    """Return the script: every step of the plan in its order, those that only look as comments."""
    parts = [comment(head(order, _where()))]
    parts.append("set -eu\n")
    for number, step in enumerate(order.plan.steps, 1):
        parts.append("\n" + comment([f"{number}. {step.title}"]))
        if isinstance(step.action, UpdateAddon):
            parts.append(_update(order, step.action))
        elif isinstance(step.action, CreateAddon):
            parts.append(_create(order, step.action))
        else:
            parts += [f"{line}\n" for line in commands_of(step)]
    if order.plan.afterwards:
        parts.append("\n" + comment(order.plan.afterwards))
    return "#!/bin/sh\n" + "".join(parts)


def _where() -> Iterator[str]:
    yield "AWS CLI and kubectl, for a POSIX shell: read it, then run it with credentials that may change the add-on."


def _base(order: Order, operation: str, cluster: str = "--cluster-name") -> str:
    region = f" --region {shlex.quote(order.plan.target.region)}" if order.plan.target.region else ""
    return f"aws eks {operation}{region} {cluster} {shlex.quote(order.cluster)}"


def _update(order: Order, action: UpdateAddon) -> str:
    words = _words(action)
    describe = f'{_base(order, "describe-update", "--name")} --addon-name {shlex.quote(action.addon)} --update-id "$update"'
    # An assignment whose command fails ends the script; in the condition of a loop it would only end the loop.
    return (
        f"update=$({_folded(_base(order, 'update-addon'), *words, '--query update.id', '--output text')})\n"
        "state=InProgress\n"
        'while [ "$state" = InProgress ]; do\n'
        f"  sleep {_PAUSE}\n"
        f"  state=$({describe} --query update.status --output text)\n"
        "done\n"
        'if [ "$state" != Successful ]; then\n'
        f"  {describe} --query update.errors --output json >&2\n"
        "  exit 1\n"
        "fi\n"
        f"{_active(order, action)}"
    )


def _create(order: Order, action: CreateAddon) -> str:
    words = [*_words(action)]
    if action.pod_identity_role:
        # The shorthand of the CLI splits at commas, which no ARN of a role has.
        association = f"serviceAccount={SERVICE_ACCOUNT},roleArn={action.pod_identity_role}"
        words.append(f"--pod-identity-associations {shlex.quote(association)}")
    if action.tags:
        words.append(f"--tags {shlex.quote(compact(action.tags))}")
    return f"{_folded(_base(order, 'create-addon'), *words, '--output json')}\n{_active(order, action)}"


def _words(action: UpdateAddon | CreateAddon) -> tuple[str, ...]:
    values = values_of(action)
    return (
        f"--addon-name {shlex.quote(action.addon)}",
        f"--addon-version {shlex.quote(action.version)}",
        *((f"--configuration-values {shlex.quote(compact(values))}",) if values else ()),
        f"--resolve-conflicts {action.resolve_conflicts}",
        *((f"--service-account-role-arn {shlex.quote(action.role_arn)}",) if action.role_arn else ()),
    )


def _active(order: Order, action: UpdateAddon | CreateAddon) -> str:
    return f"{_base(order, 'wait addon-active')} --addon-name {shlex.quote(action.addon)}\n"


def _folded(*words: str) -> str:
    return " \\\n  ".join(words)
