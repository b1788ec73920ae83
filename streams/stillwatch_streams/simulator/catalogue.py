"""The shipped tables (`data/*.toml`): archetypes, attack families, networks, client software; read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from stillwatch_streams.simulator.checked import convert
from stillwatch_streams.simulator.profile import NotNegative, PositiveCount, Strict


class NetworkPool(Strict, frozen=True, kw_only=True):
    """A kind of access network: its AS numbers, spread over countries, each with /24 nets of 10.0.0.0/8."""

    countries: dict[str, NotNegative]
    """Country code -> share of the pool's addresses."""
    asns_per_country: PositiveCount = 1
    first_asn: PositiveCount
    """AS numbers count up from here; documentation (64496-64511) or private use (4200000000 and up)."""
    first_net: PositiveCount
    """The pool's first /24, counted from 10.0.0.0; its networks count up from here."""
    nets_per_asn: PositiveCount = 64
    ipv6_share: NotNegative = 0.0
    """Share of accounts with an address in 2001:db8::/32 instead."""


class Client(Strict, frozen=True, kw_only=True):
    """A piece of client software and the versions of it that are about."""

    user_agents: tuple[str, ...]
    tls: PositiveCount = 1
    """Number of TLS fingerprints (JA4) it is seen with."""


@cache
def archetypes() -> dict[str, Any]:
    """Benign archetypes as plain tables, for scenarios to override."""
    return _table("archetypes.toml")


@cache
def families() -> dict[str, Any]:
    """Attack families as plain tables, for scenarios to override."""
    return _table("families.toml")


@cache
def networks() -> dict[str, NetworkPool]:
    """Network pools by name."""
    return convert(_table("networks.toml"), dict[str, NetworkPool], where="networks.toml")


@cache
def clients() -> dict[str, Client]:
    """Client software by name."""
    return convert(_table("clients.toml"), dict[str, Client], where="clients.toml")


UTC_OFFSET_HOURS = msgspec.json.decode(
    b'{"US":-6,"CA":-5,"BR":-3,"GB":0,"DE":1,"FR":1,"ES":1,"NL":1,"PL":1,"IN":5.5,"CN":8,"SG":8,"JP":9,"AU":10,"MX":-6}'
)
"""Rough local time of a country; hours of the day follow it."""


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / "data" / name).read_text(encoding="utf-8"))
