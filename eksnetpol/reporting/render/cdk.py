"""The AWS CDK, in TypeScript, which most of its users write: a function that adds ``CfnAddon`` to a stack.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_eks.CfnAddon.html; its properties are those of CloudFormation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.reporting.render.cloudformation import LOGICAL_ID, properties
from eksnetpol.reporting.render.order import AddonChange, Order, addon_change, around, comment, head
from eksnetpol.reporting.render.terraform import later


def write(order: Order) -> str:
    """Return a module with the one function."""
    change = addon_change(order)
    text = comment([*head(order, _where(change)), *around(order, order.addon_steps)], "//")
    made = {_camel(key): item for key, item in properties(order, change).items()}
    lines = [f"    {key}: {_literal(item)},\n" for key, item in made.items() if key != "configurationValues"]
    if change.values:
        lines.insert(4, f"    configurationValues: JSON.stringify({_literal(change.values, 4)}),\n")
    return (
        f"{text}\n"
        "import { CfnAddon } from 'aws-cdk-lib/aws-eks';\n"
        "import { Construct } from 'constructs';\n"
        "\n"
        "export function vpcCni(scope: Construct): CfnAddon {\n"
        f"  return new CfnAddon(scope, '{LOGICAL_ID}', {{\n"
        f"{''.join(lines)}"
        "  });\n"
        "}\n"
    )


def _where(change: AddonChange) -> Iterator[str]:
    yield "AWS CDK v2, TypeScript: call vpcCni(this) in the stack that has the cluster, in place of its CfnAddon for this add-on."
    yield "`cdk diff` must show this one resource and no replacement."
    yield from later(change)


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _literal(found: Any, indent: int = 4) -> str:
    """Return *found* as a literal: what JSON has is TypeScript, in ASCII, with keys of a CloudFormation type in camel case."""
    if isinstance(found, list) and found and isinstance(found[0], Mapping):
        found = [{_camel(key): item for key, item in one.items()} for one in found]
    text = json.dumps(found, indent=2).replace("##[", "#\\u0023[")
    return text.replace("\n", "\n" + " " * indent)
