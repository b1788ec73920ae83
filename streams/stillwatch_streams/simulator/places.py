"""Where calls come from and with which software: addresses, AS numbers, countries, user agents, TLS fingerprints."""

from __future__ import annotations

import hashlib
from random import Random
from typing import NamedTuple

from stillwatch_streams.simulator import catalogue
from stillwatch_streams.simulator.dice import dice
from stillwatch_streams.simulator.profile import Network


class Address(NamedTuple):
    """One address and what a lookup says of it."""

    ip: str
    asn: int
    country: str


class Device(NamedTuple):
    """Client software as the gateway sees it."""

    ja4: str
    user_agent: str


class _Net(NamedTuple):
    """One AS of a pool."""

    asn: int
    country: str
    first_net: int
    nets: int
    weight: float
    ipv6_share: float


def weighted(weights: dict[str, float], rng: Random) -> str:
    """One name, drawn by weight."""
    if len(weights) == 1:
        return next(iter(weights))
    left = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return next(reversed(weights))


class AddressBook:
    """Draws accounts' addresses so that what the group shares (exits, networks, an office) is shared."""

    def __init__(self, network: Network, group_key: str) -> None:
        rng = dice(f"{group_key}/network")
        self._key = group_key
        self._network = network
        self._nets = {pool: _nets(pool) for pool in network.pools}
        if network.asns:
            self._keep_few(rng)
        self._exits = [self._anywhere(rng) for _ in range(network.proxies)]

    def addresses(self, position: int, rng: Random) -> list[Address]:
        """The addresses of the account with this number in its group."""
        if self._network.shared_by:
            office = dice(f"{self._key}/office/{position // self._network.shared_by}")
            return [self._anywhere(office)]
        if self._exits:
            return [self._exits[int(rng.random() * len(self._exits))] for _ in range(self._network.ips)]
        first = self._anywhere(rng)
        return [first] + [self._anywhere(rng, near=first) for _ in range(self._network.ips - 1)]

    def _keep_few(self, rng: Random) -> None:
        """Limit the group to `asns` AS numbers, the likely ones first."""
        kept: list[tuple[str, _Net]] = []
        while len(kept) < self._network.asns:
            pool = weighted(self._network.pools, rng)
            spare = [net for net in self._nets[pool] if (pool, net) not in kept]
            if not spare:
                break
            kept.append((pool, rng.choices(spare, [net.weight for net in spare])[0]))
        pools = {pool for pool, _ in kept}
        self._nets = {pool: [net for owner, net in kept if owner == pool] for pool in self._nets if pool in pools}

    def _anywhere(self, rng: Random, near: Address | None = None) -> Address:
        """An address of some pool; `near` keeps the country, and mostly the network, of another one."""
        pool = weighted({name: self._network.pools[name] for name in self._nets}, rng)
        nets = self._nets[pool]
        if near is not None:
            nets = [net for net in nets if net.country == near.country] or nets
            same = [net for net in nets if net.asn == near.asn]
            nets = same if same and rng.random() < _SAME_NETWORK else nets
        net = nets[0] if len(nets) == 1 else rng.choices(nets, [one.weight for one in nets])[0]
        return _address(net, rng)


_SAME_NETWORK = 0.6


def _nets(pool_name: str) -> list[_Net]:
    pool = catalogue.networks()[pool_name]
    nets: list[_Net] = []
    for country, share in pool.countries.items():
        for number in range(pool.asns_per_country):
            first = pool.first_net + len(nets) * pool.nets_per_asn
            weight = share / (1 + number)
            nets.append(_Net(pool.first_asn + len(nets), country, first, pool.nets_per_asn, weight, pool.ipv6_share))
    return nets


def _address(net: _Net, rng: Random) -> Address:
    number = net.first_net + int(rng.random() * net.nets)
    host = 2 + int(rng.random() * 250)
    if rng.random() < net.ipv6_share:
        return Address(f"2001:db8:{number:x}:{int(rng.random() * 16):x}::{host:x}", net.asn, net.country)
    return Address(f"10.{number >> 8}.{number & 255}.{host}", net.asn, net.country)


def device(clients: dict[str, float], rng: Random) -> Device:
    """One piece of client software; the fingerprint belongs to name and version, so equal clients look equal."""
    name = weighted(clients, rng)
    client = catalogue.clients()[name]
    version = int(rng.random() * len(client.user_agents))
    return Device(_ja4(f"{name}/{version % client.tls}"), client.user_agents[version])


def _ja4(name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=14).hexdigest()
    ciphers, extensions = 9 + int(digest[24], 16) % 8, 8 + int(digest[25], 16) % 10
    return f"t13d{ciphers:02d}{extensions:02d}h2_{digest[:12]}_{digest[12:24]}"
