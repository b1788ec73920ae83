"""Identity: the hashed key by default, an edge's headers where those can be trusted."""

from __future__ import annotations

from typing import Any

from stillwatch_serving.identity import hashed_authorization, trusted_headers


def scope(**headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": pairs, "client": ("192.0.2.1", 5000)}


def test_the_key_is_the_account_and_is_not_shown() -> None:
    client = hashed_authorization(scope(authorization="Bearer sk-secret", user_agent="sdk/1"))
    assert client.identity.account_id.startswith("key-")
    assert "secret" not in repr(client)
    assert client.facts == {"client_ip": "192.0.2.1", "user_agent": "sdk/1"}


def test_the_same_key_is_the_same_account_however_it_is_sent() -> None:
    by_bearer = hashed_authorization(scope(authorization="Bearer sk-1"))
    by_header = hashed_authorization(scope(x_api_key="sk-1"))
    assert by_bearer.identity == by_header.identity
    assert by_bearer.identity != hashed_authorization(scope(authorization="Bearer sk-2")).identity


def test_without_a_key_everybody_is_anonymous() -> None:
    assert hashed_authorization(scope()).identity.account_id == "anonymous"


def test_headers_from_strangers_are_ignored_by_default() -> None:
    client = hashed_authorization(scope(x_stillwatch_account_id="victim"))
    assert client.identity.account_id == "anonymous"


def test_an_edge_says_who_it_is() -> None:
    client = trusted_headers(
        scope(
            x_stillwatch_account_id="acct-1",
            x_stillwatch_org_id="org-1",
            x_stillwatch_client_asn="64500",
            x_stillwatch_client_ip="198.51.100.7",
            x_stillwatch_turn="2",
            x_stillwatch_campaign_ids="c1, c2",
            x_stillwatch_plan="api",
        )
    )
    identity = client.identity
    assert (identity.account_id, identity.org_id, identity.asn) == ("acct-1", "org-1", 64500)
    assert identity.campaign_ids == ("c1", "c2")
    assert client.facts["client_ip"] == "198.51.100.7"
    assert (client.facts["turn"], client.facts["plan"]) == (2, "api")


def test_an_overlong_account_stands_for_itself_by_its_hash() -> None:
    one = trusted_headers(scope(x_stillwatch_account_id="a" * 300)).identity.account_id
    other = trusted_headers(scope(x_stillwatch_account_id="a" * 299 + "b")).identity.account_id
    assert one != other
    assert len(one) <= 256


def test_a_number_that_is_none_is_left_out() -> None:
    assert trusted_headers(scope(x_stillwatch_client_asn="AS64500")).identity.asn is None
