"""Who takes part, and on what. Slow peers read the first part of the topic only: all are timed per event."""

from __future__ import annotations

import msgspec


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant."""

    name: str
    """For results; without `module` also the module in this package."""
    label: str
    """For people."""
    module: str = ""
    sketched: bool = False
    """Reads the topic with sketches instead of text."""
    share: float = 1.0
    """Part of the topic that is read."""
    checked: bool = True
    """Must raise the oracle's alerts; ceilings and the whole product do other work."""
    reorders: bool = False
    """Works in another order than the topic's: must raise the oracle's alerts when it is made to keep the order (not
    timed), and most of them otherwise."""
    whole: bool = False
    """Timed until all its agents have nothing left to do."""

    @property
    def program(self) -> str:
        """The module to run."""
        return self.module or self.name


PEERS = (
    Peer(name="aiokafka_consume", label="ceiling: aiokafka, consume only", checked=False),
    Peer(name="aiokafka_msgspec", label="ceiling: aiokafka + msgspec decode", checked=False),
    Peer(name="faust_river", label="Faust + River", share=0.1),
    Peer(name="quix_river", label="Quix Streams + River", share=0.3),
    Peer(name="bytewax_river", label="Bytewax + River", share=0.3, reorders=True),
    Peer(name="aiokafka_river", label="aiokafka + River, state not durable", share=0.5),
    Peer(name="stillwatch_reference", label="Stillwatch, the same work"),
    Peer(
        name="whole_sketch",
        module="stillwatch_whole",
        label="Stillwatch, everything on, sketch events",
        sketched=True,
        checked=False,
        whole=True,
    ),
    Peer(
        name="whole_text",
        module="stillwatch_whole",
        label="Stillwatch, everything on, text events",
        checked=False,
        whole=True,
    ),
)


def contestants(names: list[str]) -> tuple[Peer, ...]:
    """Those named, or all; ValueError for a name that is none."""
    known = {peer.name: peer for peer in PEERS}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no such peer: {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in names) or PEERS
