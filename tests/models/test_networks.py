"""Networks and clients as codes: equal for equal, readable where they can be."""

from __future__ import annotations

import pytest
from stillwatch_models.networks import client_code, network_code, network_name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.17", "192.0.2.0/24"),
        ("0.0.0.9", "0.0.0.0/24"),
        ("255.255.255.255", "255.255.255.0/24"),
        ("::ffff:192.0.2.200", "192.0.2.0/24"),
    ],
)
def test_an_ipv4_network_is_read_back(address: str, name: str) -> None:
    assert network_name(network_code(address)) == name


def test_ipv6_addresses_of_one_48_are_one_network_however_they_are_spelled() -> None:
    same = {network_code(a) for a in ("2001:db8:7::1", "2001:0DB8:0007:ffff::2", "2001:db8:7:1:2:3:4:5")}
    assert len(same) == 1
    assert network_code("2001:db8:8::1") not in same
    assert network_name(same.pop()).startswith("v6-")


@pytest.mark.parametrize("odd", ["10.0.0", "10.0.0.256", "unix:", "10.0.0.x", "1.2.3.4.5", "\u0661.2.3.4"])
def test_what_is_no_address_is_a_group_of_its_own(odd: str) -> None:
    assert network_code(odd) >> 31 == 1
    assert network_code(odd) < 2**32


def test_nothing_is_no_group() -> None:
    assert network_code(None) == network_code("") == client_code(None, "sdk/1") == 0


def test_a_client_is_its_fingerprint_and_its_user_agent() -> None:
    codes = {client_code(ja4, agent) for ja4 in ("t13a", "t13b") for agent in ("sdk/1", "sdk/2", None)}
    assert len(codes) == 6
