"""Calico's policies asked as its agent does: everything with labels is in a list, a selector is the addresses it finds there.

Written from the facts, without formulas and without the reader: one connection of one pair at a time.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.engines import calico_words

Json = dict[str, Any]
Labels = Mapping[str, str]
NUMBERS = {"ICMP": 1, "TCP": 6, "UDP": 17, "SCTP": 132}
OWN = "projectcalico.org/"


@dataclass
class Item:
    """Something that has labels: a pod with its named ports, or a network set."""

    labels: dict[str, str]
    nets: list[ipaddress.IPv4Network]
    ports: tuple[tuple[str, str, int], ...] = ()

    def has(self, address: str) -> bool:
        """Say whether an address is one of its own."""
        return any(ipaddress.IPv4Address(address) in net for net in self.nets)


@dataclass
class Packet:
    """One connection."""

    source: str
    destination: str
    protocol: str
    number: int
    """The port it goes to; for ICMP type times 256 plus code."""
    source_port: int = 40_000


@lru_cache(maxsize=4096)
def _read(text: str) -> list[object]:
    found = calico_words.read(text)
    assert found is not None, text
    return found


def selects(text: str, labels: Labels) -> bool:
    """Say whether a selector selects labels."""
    return calico_words.selects(_read(text), labels)


def copied(text: str, labels: Labels, prefix: str) -> bool:
    """Say whether a selector selects the labels that begin with *prefix*; ``all()`` is what is in a namespace."""
    view = {key.removeprefix(prefix): value for key, value in labels.items() if key.startswith(prefix)}
    if prefix == "pcns.":
        text = re.sub(r"all\([ \t]*\)", "has(_in_)", text)
        text = re.sub(r"global\([ \t]*\)", "!has(_in_)", text)
        view |= {"_in_": ""} if OWN + "namespace" in labels else {}
    return selects(text, view)


class Oracle:
    """Answers for one cluster. *cluster* is as in ``verdicts/calico.jsonl``."""

    def __init__(self, cluster: Json, objects: list[Json]) -> None:
        namespaces = {n["name"]: n["labels"] for n in cluster["namespaces"]}
        accounts = {(a["namespace"], a["name"]): a["labels"] for a in cluster["serviceAccounts"]}
        self.objects = objects
        self.pods: dict[str, Item] = {}
        for p in cluster["pods"]:
            here, account = p["namespace"], p["serviceAccount"]
            labels = self._in(here, namespaces) | {f"pcsa.{k}": v for k, v in accounts[here, account].items()}
            labels |= {f"pcsa.{OWN}name": account} | p["labels"] | {f"{OWN}namespace": here}
            labels |= {f"{OWN}serviceaccount": account, f"{OWN}orchestrator": "k8s"}
            ports = tuple((q["protocol"], q["name"], q["containerPort"]) for q in p["ports"])
            self.pods[p["ip"]] = Item(labels, [ipaddress.IPv4Network(p["ip"])], ports)
        self.items = list(self.pods.values())
        for one in objects:
            meta = one["metadata"]
            if one["kind"] in {"NetworkSet", "GlobalNetworkSet"}:
                labels = meta.get("labels", {})
                if "namespace" in meta:
                    labels = self._in(meta["namespace"], namespaces) | labels | {f"{OWN}namespace": meta["namespace"]}
                self.items.append(Item(labels, [ipaddress.IPv4Network(net) for net in one["spec"]["nets"]]))

    @staticmethod
    def _in(namespace: str, namespaces: Mapping[str, Labels]) -> dict[str, str]:
        return {f"pcns.{k}": v for k, v in namespaces[namespace].items()} | {f"pcns.{OWN}name": namespace}

    def allows(self, direction: str, packet: Packet) -> bool:
        """Say whether the pod at one end, that of *direction*, lets a connection through."""
        me = self.pods.get(packet.destination if direction == "ingress" else packet.source)
        if me is None:
            return True
        tiers: dict[str, tuple[float, str]] = {
            "default": (1e6, "Deny"),
            "kube-admin": (1e3, "Pass"),
            "kube-baseline": (1e7, "Pass"),
        }
        for one in self.objects:
            if one["kind"] == "Tier":
                tiers[one["metadata"]["name"]] = (one["spec"].get("order", math.inf), one["spec"].get("defaultAction", "Deny"))
        for tier in sorted(tiers, key=lambda name: (tiers[name][0], name)):
            answer = self._tier(tier, tiers[tier][1], direction, me, packet)
            if answer is not None:
                return answer
        return True

    def _tier(self, tier: str, otherwise: str, direction: str, me: Item, packet: Packet) -> bool | None:
        mine = [
            one
            for one in self.objects
            if one["kind"] in {"NetworkPolicy", "GlobalNetworkPolicy"}
            and one["spec"].get("tier", "default") == tier
            and direction.capitalize() in one["spec"]["types"]
            and self._subject(one, me.labels)
        ]
        mine.sort(key=self._place)
        for one in mine:
            for rule in one["spec"].get(direction, []):
                if rule["action"] != "Log" and self._rule(rule, one["metadata"].get("namespace", ""), packet):
                    if rule["action"] == "Pass":
                        return None
                    return bool(rule["action"] == "Allow")
        return False if mine and otherwise == "Deny" else None

    @staticmethod
    def _place(one: Json) -> tuple[float, str]:
        meta = one["metadata"]
        return one["spec"].get("order", math.inf), f"{meta['name']}/{meta.get('namespace', '')}/{one['kind']}"

    @staticmethod
    def _subject(one: Json, labels: Labels) -> bool:
        spec = one["spec"]
        return (
            labels[f"{OWN}namespace"] == one["metadata"].get("namespace", labels[f"{OWN}namespace"])
            and selects(spec.get("selector", ""), labels)
            and copied(spec.get("namespaceSelector", ""), labels, "pcns.")
            and copied(spec.get("serviceAccountSelector", ""), labels, "pcsa.")
        )

    def _rule(self, rule: Json, namespace: str, packet: Packet) -> bool:
        number = NUMBERS[packet.protocol]

        def is_it(protocol: object) -> bool:
            return protocol in {packet.protocol, number}

        if ("protocol" in rule and not is_it(rule["protocol"])) or ("notProtocol" in rule and is_it(rule["notProtocol"])):
            return False
        for key, wanted in (("icmp", True), ("notICMP", False)):
            if key in rule:
                kind, code = divmod(packet.number, 256)
                if (rule[key]["type"] == kind and rule[key].get("code", code) == code) != wanted:
                    return False
        source, destination = rule.get("source", {}), rule.get("destination", {})
        family = {":" in net for side in (source, destination) for key in ("nets", "notNets") for net in side.get(key, ())}
        if rule.get("ipVersion", 4) != 4 or True in family:
            return False
        return self._side(source, namespace, packet.source, packet, packet.source_port) and self._side(
            destination, namespace, packet.destination, packet, packet.number
        )

    def _side(self, side: Json, namespace: str, address: str, packet: Packet, port: int) -> bool:
        positive: list[Callable[[Labels], bool]] = []
        accounts = side.get("serviceAccounts", {})
        if accounts.get("names"):
            positive.append(lambda labels: labels.get(f"{OWN}serviceaccount") in accounts["names"])
        if accounts.get("selector"):
            positive.append(lambda labels: copied(accounts["selector"], labels, "pcsa."))
        if side.get("selector"):
            positive.append(lambda labels: selects(side["selector"], labels))
        if side.get("namespaceSelector"):
            positive.append(lambda labels: copied(side["namespaceSelector"], labels, "pcns."))
        elif namespace and (positive or side.get("notSelector")):
            positive.append(lambda labels: labels.get(f"{OWN}namespace") == namespace)
        return (
            self._found(positive, side.get("notSelector", ""), address)
            and self._within(side, address)
            and self._ports(side, address, packet, port)
        )

    def _found(self, positive: list[Callable[[Labels], bool]], out: str, address: str) -> bool:
        """Say whether selectors find an address."""
        found = [item for item in self.items if item.has(address)]
        if positive:
            return any(all(ask(i.labels) for ask in positive) and not (out and selects(out, i.labels)) for i in found)
        return not (out and any(selects(out, item.labels) for item in found))

    @staticmethod
    def _within(side: Json, address: str) -> bool:
        here = ipaddress.IPv4Address(address)
        if side.get("nets") and not any(here in ipaddress.IPv4Network(net) for net in side["nets"]):
            return False
        return not any(here in ipaddress.IPv4Network(net) for net in side.get("notNets", ()))

    def _ports(self, side: Json, address: str, packet: Packet, port: int) -> bool:
        pod = self.pods.get(address)
        named = () if pod is None or packet.protocol == "ICMP" else pod.ports

        def fits(wanted: object) -> bool:
            if str(wanted).isdigit():
                return int(str(wanted)) == port
            low, colon, high = str(wanted).partition(":")
            return int(low) <= port <= int(high) if colon else (packet.protocol, wanted, port) in named

        if side.get("ports") and (packet.protocol == "ICMP" or not any(map(fits, side["ports"]))):
            return False
        return not any(map(fits, side.get("notPorts", ())))
