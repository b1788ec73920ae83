"""Acks: what a serving node did with a directive (topic `llm.enforcement.acks.v1`, key: the directive's key)."""

from __future__ import annotations

from typing import Literal

import msgspec

from stillwatch_schemas.limits import Label, Line, Paragraph, Revision, TimeMs

AckOutcome = Literal["applied", "released", "refused", "enforced"]


class Ack(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One node's receipt: it took the directive over, dropped it, refused it, or first used it on a request."""

    key: Line
    """`scope:subject`, as the directive's record key."""
    directive_id: Label
    revision: Revision
    node: Label
    at: TimeMs
    """When, by the node's clock, ms."""
    outcome: AckOutcome
    mode: Literal["shadow", "enforce"]
    """The mode in effect at the node: a kill switch or a missing public key turns `enforce` into `shadow`."""
    detail: Paragraph = ""
    """Why it was refused."""
