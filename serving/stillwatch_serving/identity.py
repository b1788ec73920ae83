"""Who sent a request, as the gateway can know it. One function of the ASGI scope; every host may bring its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec

from stillwatch_serving.decisions import Identity

Scope = MutableMapping[str, Any]

ID_LIMIT = 256
TRUSTED_PREFIX = b"x-stillwatch-"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """The sender: identity for decisions, and what else is known of it for the event (fields of RequestEvent)."""

    identity: Identity
    facts: dict[str, Any] = {}


Identify = Callable[[Scope], Client]


def headers_of(scope: Scope) -> dict[str, str]:
    """Request headers by lower-case name; of repeated ones the first."""
    found: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        found.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return found


def hashed_authorization(scope: Scope) -> Client:
    """The default: the account is the API key, hashed; the address is the peer's.

    Requests without a key share the account `anonymous`. The hash is not secret (anyone who has the key can compute
    it), it only keeps the key itself out of topics and logs.
    """
    headers = headers_of(scope)
    secret = headers.get("authorization") or headers.get("x-api-key")
    account = "anonymous" if not secret else "key-" + _digest(secret.removeprefix("Bearer ").strip())
    peer = scope.get("client")
    facts = {"client_ip": peer[0] if peer else None, "user_agent": headers.get("user-agent")}
    return Client(identity=Identity(account_id=account, api_key_id=account), facts=facts)


def trusted_headers(scope: Scope) -> Client:
    """Reads `x-stillwatch-<field>` headers, set by an authenticating edge in front of this server.

    Only for servers that nobody can reach except through that edge, and an edge that removes such headers from what
    clients send: whoever can set them can be anyone. Falls back to `hashed_authorization` for what they don't say.
    """
    plain = hashed_authorization(scope)
    headers = headers_of(scope)
    prefix = TRUSTED_PREFIX.decode()
    said = {
        name.removeprefix(prefix).replace("-", "_"): value for name, value in headers.items() if name.startswith(prefix)
    }
    identity = Identity(
        account_id=_fitting(said.pop("account_id", plain.identity.account_id)),
        api_key_id=_optional(said.get("api_key_id", plain.identity.api_key_id)),
        org_id=_optional(said.get("org_id")),
        asn=_number(said.get("client_asn")),
        campaign_ids=tuple(c.strip() for c in said.pop("campaign_ids", "").split(",") if c.strip()),
    )
    numbers = {name: _number(said.pop(name, None)) for name in ("client_asn", "account_created_at", "turn")}
    texts = ("org_id", "api_key_id", "client_ip", "client_country", "client_ja4", "payment_id", "plan")
    kept = {name: said[name] for name in (*texts, "conversation_id", "end_user_id") if name in said}
    return Client(identity=identity, facts=plain.facts | kept | numbers)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("latin-1", "replace"), digest_size=12).hexdigest()


def _fitting(text: str) -> str:
    """An identity must be kept whole or stand for itself: too long a one becomes its hash."""
    return text if 0 < len(text) <= ID_LIMIT else "id-" + _digest(text)


def _optional(text: str | None) -> str | None:
    return _fitting(text) if text else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
