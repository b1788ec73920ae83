"""Where requests come from, as 32-bit codes: networks that can be read back, and client fingerprints.

A network is the /24 of an IPv4 address or the /48 of an IPv6 one. The code of an IPv4 network is its 24 bits with a
mark above them, so an analyst reads the network itself; anything else is a hash with the highest bit set.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

from stillwatch_schemas.compiled import lean_part
from stillwatch_schemas.plain_json import Bytes

CACHED = 65_536
"""Distinct addresses and clients whose codes are remembered; others are worked out again."""
_IPV4_MARK = 1 << 24
_HASH_MARK = 1 << 31
_OCTETS = 4
_MOST_OCTET = 255
_DOT, _ZERO, _NINE = b".09"
_V4_MAPPED = "::ffff:"
NO_NETWORK = -1


@lru_cache(CACHED)
def network_code(address: str | None) -> int:
    """Code of an address's network; 0 for none."""
    if not address:
        return 0
    octets = address.removeprefix(_V4_MAPPED).split(".")
    if len(octets) == _OCTETS and all(part.isascii() and part.isdigit() and int(part) < 256 for part in octets):  # noqa: PLR2004 - an octet
        return _IPV4_MARK | int(octets[0]) << 16 | int(octets[1]) << 8 | int(octets[2])
    return _HASH_MARK | crc32(_prefix(address).encode("utf-8", "surrogatepass"))


@lean_part
def plain_network(text: Bytes, at: int, end: int) -> int:
    """The same of the address from `at` to `end` in a text; NO_NETWORK where it is no plain IPv4 address."""
    if at == end:
        return 0
    code = 0
    for octet in range(_OCTETS):
        start, value = at, 0
        while _ZERO <= text[at] <= _NINE and value <= _MOST_OCTET:
            value = value * 10 + text[at] - _ZERO
            at += 1
        if at == start or value > _MOST_OCTET or (octet < _OCTETS - 1 and text[at] != _DOT):
            return NO_NETWORK
        code = code << 8 | value
        at += 1
    return _IPV4_MARK | code >> 8 if at == end + 1 else NO_NETWORK


def network_name(code: int) -> str:
    """The network that a code stands for, for people: `192.0.2.0/24`, or `v6-` and the hash."""
    if code & _HASH_MARK:
        return f"v6-{code & ~_HASH_MARK:08x}"
    return f"{code >> 16 & 255}.{code >> 8 & 255}.{code & 255}.0/24"


@lru_cache(CACHED)
def client_code(ja4: str | None, user_agent: str | None) -> int:
    """Code of a TLS fingerprint with its user agent; 0 without a fingerprint."""
    if not ja4:
        return 0
    return crc32(f"{ja4}\x1f{user_agent}".encode("utf-8", "surrogatepass"))


def _prefix(address: str) -> str:
    """The first three groups of an IPv6 address, in one spelling."""
    groups = address.lower().split("::")[0].split(":")[:3]
    return ":".join(group.lstrip("0") or "0" for group in [*groups, "0", "0", "0"][:3])
