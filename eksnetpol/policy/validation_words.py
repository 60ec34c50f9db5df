"""Names, labels, ports and CIDRs as the API server takes them: what is wrong with one, or an empty text.

Each rule is that of Kubernetes' own validation (k8s.io/apimachinery, pkg/util/validation and pkg/api/validate/content).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

_LONGEST_NAME = 253
_LONGEST_PART = 63
_LONGEST_PORT = 15
_LAST_PORT = 65535
_IPV4_BITS, _IPV6_BITS = 32, 128
_MAPPED = 0xFFFF << 32
_LAST_OCTET = 255
_MOST_DIGITS = 7

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_PORT = re.compile(r"[-a-z0-9]+")
_DIGITS = re.compile(r"[0-9]+")
_ZEROS = re.compile(r"(?<![0-9A-Fa-f])0+(?=[0-9A-Fa-f])")
_PIECE = "letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"


@lru_cache(maxsize=4096)
def name_fault(text: str) -> str:
    """Say what is wrong with a name of an object, which is a DNS subdomain."""
    if len(text) > _LONGEST_NAME:
        return f"this is longer than {_LONGEST_NAME} characters"
    if not _SUBDOMAIN.fullmatch(text):
        return f"{text!r} is no name: expected lower case letters, digits, '-' and '.', as in a DNS name"
    return ""


@lru_cache(maxsize=1 << 14)
def label_key_fault(text: str) -> str:
    """Say what is wrong with the key of a label."""
    prefix, slash, name = text.rpartition("/")
    if slash and (not prefix or "/" in prefix or name_fault(prefix)):
        return f"{text!r} is no label key: before the slash stands no DNS name"
    if len(name) > _LONGEST_PART:
        return f"{text!r} is no label key: it is longer than {_LONGEST_PART} characters"
    if not _PART.fullmatch(name):
        return f"{text!r} is no label key: expected {_PIECE}"
    return ""


@lru_cache(maxsize=1 << 14)
def label_value_fault(text: str) -> str:
    """Say what is wrong with the value of a label."""
    if len(text) > _LONGEST_PART:
        return f"{text!r} is no label value: it is longer than {_LONGEST_PART} characters"
    if text and not _PART.fullmatch(text):
        return f"{text!r} is no label value: expected {_PIECE}, or nothing"
    return ""


def port_fault(number: int) -> str:
    """Say what is wrong with the number of a port."""
    return "" if 1 <= number <= _LAST_PORT else f"{number} is no port; expected 1 to {_LAST_PORT}"


@lru_cache(maxsize=4096)
def port_name_fault(text: str) -> str:
    """Say what is wrong with the name of a port."""
    if text.isascii() and text.isdigit():
        return f"{text!r} is a text of digits, which no port is called; write the number without quotes"
    hyphens = text.startswith("-") or text.endswith("-") or "--" in text
    if len(text) > _LONGEST_PORT or not _PORT.fullmatch(text) or not re.search("[a-z]", text) or hyphens:
        return (
            f"{text!r} is no name of a port: expected at most {_LONGEST_PORT} lower case letters, digits and single hyphens "
            f"between them, at least one of them a letter"
        )
    return ""


@dataclass(frozen=True, slots=True)
class Block:
    """A CIDR as Go's lenient parser reads it. *address* has its host bits cut off; *bits* is as written."""

    address: int
    bits: int
    is_v4: bool
    fault: str = ""
    """What servers since 1.36 have against it."""

    @property
    def plain(self) -> Block:
        """The block with an IPv4 address in IPv6's clothes undressed, as containment compares them."""
        if self.is_v4 or self.address >> _IPV4_BITS != _MAPPED >> _IPV4_BITS:
            return self
        return Block(self.address & ((1 << _IPV4_BITS) - 1), max(0, self.bits - _IPV6_BITS + _IPV4_BITS), is_v4=True)

    def holds(self, other: Block) -> bool:
        """Say whether the first address of *other* is in this block."""
        mine, theirs = self.plain, other.plain
        if mine.is_v4 != theirs.is_v4:
            return False
        host = (_IPV4_BITS if mine.is_v4 else _IPV6_BITS) - mine.bits
        return mine.address >> host == theirs.address >> host


@lru_cache(maxsize=1 << 14)
def read_block(text: str) -> Block | None:
    """Return the block that *text* is, None where even the most lenient server takes it for none.

    Leading zeros, host bits and IPv4 addresses written as IPv6 ones pass; ``fault`` says so.
    """
    address, slash, length = text.partition("/")
    if not slash or not _DIGITS.fullmatch(length) or len(length) > _MOST_DIGITS:
        return None
    number = _ipv4(address)
    is_v4 = number is not None
    if number is None:
        number = _ipv6(address)
    bits, every = int(length), _IPV4_BITS if is_v4 else _IPV6_BITS
    if number is None or bits > every:
        return None
    cut = number >> (every - bits) << (every - bits)
    fault = ""
    if _has_zeros(address, length, is_v4=is_v4):
        fault = f"{text!r} has leading zeros"
    elif not is_v4 and number >> _IPV4_BITS == _MAPPED >> _IPV4_BITS:
        fault = f"{text!r} is an IPv4 block written as an IPv6 one"
    elif cut != number:
        plain = ipaddress.IPv4Address(cut) if is_v4 else ipaddress.IPv6Address(cut)
        fault = f"{text!r} has bits set beyond its length; expected {plain}/{bits}"
    return Block(cut, bits, is_v4, fault)


def _ipv4(text: str) -> int | None:
    octets = text.split(".")
    if len(octets) != 4 or not all(_DIGITS.fullmatch(o) and len(o) <= _MOST_DIGITS for o in octets):  # noqa: PLR2004 - an IPv4 address
        return None
    numbers = [int(o) for o in octets]
    if max(numbers) > _LAST_OCTET:
        return None
    return int.from_bytes(bytes(numbers), "big")


def _ipv6(text: str) -> int | None:
    if ":" not in text or not re.fullmatch(r"[0-9A-Fa-f:.]+", text):
        return None
    try:
        return int(ipaddress.IPv6Address(_ZEROS.sub("", text)))
    except ValueError:
        return None


def _has_zeros(address: str, length: str, *, is_v4: bool) -> bool:
    if len(length) > 1 and length[0] == "0":
        return True
    dotted = address if is_v4 else address.rpartition(":")[2] if "." in address else ""
    if any(len(part) > 1 and part[0] == "0" for part in dotted.split(".")):
        return True
    return any(len(part) > 4 for part in address.split(":") if "." not in part)  # noqa: PLR2004 - digits of a group
