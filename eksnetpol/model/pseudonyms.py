"""New names for old, each for one: what two names have in common, the new ones have too.

A name is cut at everything but letters and digits, and each part gets a part of the same form: letters for letters, digits for
digits, as many. So prefixes, suffixes, domains, lengths and the agent's identity of pods (`eksnetpol.policy.identity`) stay
related as they were. Addresses lose bits from the front on, so that what lay in a block lies in its new block; zeros stay zeros
and the last octet (of IPv6: the last sixteen bits) stays, so that a network's base and its second address are found again.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import string
from collections.abc import Callable

from eksnetpol.model.redaction_words import PATTERN, WORDS

_PART = re.compile(r"[^\W_]+")
_V4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?![\w])(?!\.\d)")
_V4_IN_NAME = re.compile(r"(?<![a-zA-Z0-9])ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})(?!\d)")
_V6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:/\d{1,3})?(?![\w:])")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_AWS_ID = re.compile(r"\b(acl|ami|eipalloc|eni|fs|i|igw|lt|nat|rtb|sg|subnet|vol|vpc|vpce)-([0-9a-f]{8,17})\b")
_ACCOUNT_DIGITS = 12
_TRIES = 64

_KEPT_BLOCKS = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "10.100.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "172.20.0.0/16",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.19.0.0/16",
        "224.0.0.0/3",
        "::/16",
        "2000::/3",
        "fc00::/8",
        "fd00::/8",
        "fd00:ec2::/32",
        "fe80::/10",
        "ff00::/8",
    )
)
# Blocks that mean something: private, link-local, shared, and where EKS puts Services. They keep their first bits.

_WHOLLY_KEPT = tuple(
    (block, int(block.network_address) >> (block.max_prefixlen - block.prefixlen))
    for block in map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.100.0.0/16",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.20.0.0/16",
            "224.0.0.0/3",
            "::/16",
            "fd00:ec2::/32",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)
# Within these nothing changes: IMDS, the Pod Identity agent, NodeLocal DNSCache, cluster DNS.


class Pseudonyms:
    """Pseudonyms of one snapshot, drawn with *salt*; *taken* are words that are there already and so are given to nobody."""

    def __init__(self, salt: bytes, taken: frozenset[str]) -> None:
        self._salt = salt
        self._taken = taken
        self._parts: dict[str, str] = {}
        self._given: set[str] = set()
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._flips: dict[tuple[int, int, int], int] = {}

    def name(self, text: str) -> str:
        """Return *text* with every part renamed that is nobody's in particular; addresses in it become others."""
        found = self._names.get(text)
        if found is None:
            found = self._names[text] = self._outside_addresses(text, lambda t: _PART.sub(self._part_of, t))
        return found

    def prose(self, text: str) -> str:
        """Return *text* with addresses, accounts and identifiers renamed, and those parts that `name` has renamed before."""
        return self._outside_addresses(text, lambda t: _PART.sub(self._known_part_of, t))

    def address(self, text: str) -> str:
        """Return the address or block *text* as another one, or as it is where it is none."""
        if text not in self._addresses:
            self._addresses[text] = self._address(text)
        return self._addresses[text]

    # --- parts --------------------------------------------------------------------------------------------------------

    def _part_of(self, found: re.Match[str]) -> str:
        return self._part(found[0])

    def _known_part_of(self, found: re.Match[str]) -> str:
        part = found[0]
        return self._part(part) if part in self._parts or (part.isdigit() and len(part) == _ACCOUNT_DIGITS) else part

    def _part(self, part: str) -> str:
        if part.lower() in WORDS or PATTERN.fullmatch(part):
            return part
        known = self._parts.get(part)
        if known is None:
            known = self._parts[part] = self._drawn(part)
            self._given.add(known)
        return known

    def _drawn(self, part: str) -> str:
        fallback = ""
        turn = 0
        while True:
            drawn = self._shaped(part, turn)
            turn += 1
            if drawn in self._given or drawn.lower() in WORDS or PATTERN.fullmatch(drawn):
                # Of a short form there may be no more free ones than those that mean something.
                if turn > 100 * _TRIES and drawn not in self._given:
                    return drawn
                continue
            if drawn.lower() not in self._taken:
                return drawn
            fallback = fallback or drawn
            # Short parts run out of words that are nowhere in the snapshot; they tell little, and any other will do.
            if turn > _TRIES:
                return fallback

    def _shaped(self, part: str, turn: int) -> str:
        stream = hashlib.blake2b(f"{turn}\0{part}".encode(), key=self._salt[:64], digest_size=32).digest()
        while len(stream) < len(part):
            stream += hashlib.blake2b(stream, key=self._salt[:64], digest_size=32).digest()
        is_hex = len(part) >= 8 and all(c in "0123456789abcdef" for c in part)  # noqa: PLR2004 - an identifier, not a word
        letters = "abcdef" if is_hex else string.ascii_lowercase
        drawn = []
        for char, byte in zip(part, stream, strict=False):
            if char.isdigit():
                drawn.append(string.digits[byte % 10])
            elif char.isupper():
                drawn.append(letters[byte % len(letters)].upper())
            else:
                drawn.append(letters[byte % len(letters)])
        return "".join(drawn)

    # --- addresses ----------------------------------------------------------------------------------------------------

    def _outside_addresses(self, text: str, rename: Callable[[str], str]) -> str:
        """Return *text*, its addresses renamed as such, digests kept, and all between them renamed by *rename*."""
        spans: list[tuple[int, int, str]] = [(m.start(), m.end(), m[0]) for m in _DIGEST.finditer(text)]
        spans += [(m.start(), m.end(), f"{m[1]}-{self._part(m[2])}") for m in _AWS_ID.finditer(text)]
        for pattern in (_V4, _V6) if "." in text or ":" in text else ():
            spans += [(m.start(), m.end(), self.address(m[0])) for m in pattern.finditer(text) if _is_address(m[0])]
        for found in _V4_IN_NAME.finditer(text):
            dotted = ".".join(found.groups())
            if _is_address(dotted):
                spans.append((found.start(), found.end(), f"ip-{self.address(dotted).replace('.', '-')}"))
        done, at = [], 0
        for start, end, new in sorted(spans):
            if start >= at:
                done += [rename(text[at:start]), new]
                at = end
        return "".join([*done, rename(text[at:])])

    def _address(self, text: str) -> str:
        try:
            interface = ipaddress.ip_interface(text)
        except ValueError:
            return text
        network = interface.network
        bits = network.max_prefixlen
        # A block keeps its host bits clear, so it is the front that is renamed; an address is all front.
        front = bits if int(interface.ip) != int(network.network_address) else network.prefixlen
        number = self._renamed(int(interface.ip), bits, front)
        new = (ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address)(number)  # noqa: PLR2004 - bits of IPv4
        return f"{new}/{text.partition('/')[2]}" if "/" in text else str(new)

    def _renamed(self, number: int, bits: int, front: int) -> int:
        """Flip each of the *front* bits or not, by the bits before it alone: equal fronts stay equal."""
        if any(b.max_prefixlen == bits and number >> (bits - b.prefixlen) == front_of for b, front_of in _WHOLLY_KEPT):
            return number
        group = 8 if bits == 32 else 16  # noqa: PLR2004 - bits of IPv4
        new = 0
        for i in range(bits):
            before = number >> (bits - i)
            bit = number >> (bits - 1 - i) & 1
            since = i % group
            all_zero_so_far = before & ((1 << since) - 1) == 0
            if i < front and i < bits - group and not all_zero_so_far:
                bit ^= self._flip(before, i, bits)
            new = new << 1 | bit
        return new

    def _flip(self, before: int, length: int, bits: int) -> int:
        key = (bits, length, before)
        flip = self._flips.get(key)
        if flip is None:
            drawn = hashlib.blake2b(f"{bits}/{length}/{before}".encode(), key=self._salt[:64], digest_size=1).digest()[0]
            flip = self._flips[key] = 0 if _is_on_the_way(before, length, bits) else drawn & 1
        return flip


def _is_on_the_way(before: int, length: int, bits: int) -> bool:
    """Say whether some block that keeps its first bits begins with these, so that the next one must stay."""
    return any(
        block.max_prefixlen == bits and block.prefixlen > length and int(block.network_address) >> (bits - length) == before
        for block in _KEPT_BLOCKS
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True
