"""What accounts may share, and how the groups of each kind are told and kept."""

from __future__ import annotations

from stillwatch_models.networks import network_name

KINDS = ("asn", "net", "payment", "client", "template", "topic")
SHARED = ("payment", "client")
"""Kinds whose groups are told with a single account too, once several accounts use them."""
NO_ELSEWHERE = frozenset({"template", "topic"})
"""Kinds in which every account counts as arriving: an account has no one template or topic to come from."""
ALWAYS_TOLD = frozenset({"asn"})
TOLD_FROM = {"topic": 4}
"""Accounts from which on a group is told, where two are not enough: a few meet in one of 4,096 cells by chance."""
PACED = frozenset({"net", "payment", "client", "template"})
"""Kinds whose accounts' active panes are compared."""
CROWDS = frozenset({"asn", "topic"})
"""Kinds so large that nobody asks how many accounts they ever had; members are kept only of groups being watched."""


def group_name(kind: str, value: int) -> str:
    """A group's name among all groups, from its code in the columns: `net:192.0.2.0/24`."""
    if kind == "net":
        return f"net:{network_name(value)}"
    if kind == "topic":
        return f"topic:{value - 1}"  # 0 stands for none
    return f"asn:{value}" if kind == "asn" else f"{kind}:{value:08x}"
