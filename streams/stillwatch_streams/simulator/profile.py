"""How one kind of client behaves: when it calls, what it asks, from where, with which parameters.

A profile is plain data. Benign archetypes and attack families are shipped profiles (`data/*.toml`); a scenario picks
them by name and may override any key. Nothing here knows whether a profile is benign.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
PositiveCount = Annotated[int, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Range: TypeAlias = tuple[NotNegative, NotNegative]
"""[lowest, highest]; each account draws its own value between them."""
Weights: TypeAlias = dict[str, NotNegative]
"""name -> relative weight."""

Hours = Literal["around_the_clock", "waking", "office", "evening", "night"]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything read from TOML: a misspelt key is an error, not a default."""


class Sessions(Strict, frozen=True, kw_only=True, tag_field="rhythm", tag="sessions"):
    """Sittings of several turns, the shape of people and of agents."""

    per_day: Positive = 1.5
    """Sittings per day of an account of average activity."""
    turns: Positive = 2.5
    """Mean number of requests in a sitting (geometric)."""
    think_seconds: Positive = 80.0
    """Median pause between turns."""
    think_sigma: NotNegative = 0.9
    """Log-normal spread of that pause."""


class Steady(Strict, frozen=True, kw_only=True, tag_field="rhythm", tag="steady"):
    """Independent requests around a rate: relay bots (cv 1, a Poisson process) and paced harvesters (cv below 1)."""

    per_day: Positive = 25.6
    cv: Positive = 1.0
    """Coefficient of variation of the gaps: 1 is random, 0.1 is a metronome."""


class Loop(Strict, frozen=True, kw_only=True, tag_field="rhythm", tag="loop"):
    """Runs of a closed loop: the next call starts when the last one has been answered."""

    runs_per_day: Positive = 2.0
    calls: Positive = 200.0
    """Median calls of a run."""
    calls_sigma: NotNegative = 0.6
    gap_seconds: Range = (3.0, 11.0)
    gap_cv: Range = (0.07, 0.41)
    stall_share: Share = 0.01
    """Share of calls after which the loop hangs for `stall_seconds` (back-off, disk, retry)."""
    stall_seconds: Range = (30.0, 240.0)


class Batches(Strict, frozen=True, kw_only=True, tag_field="rhythm", tag="batches"):
    """A job on a timetable that sends its records as fast as it may."""

    every_hours: Positive = 6.0
    jitter_minutes: NotNegative = 2.0
    records: Positive = 20.0
    """Median records of a batch."""
    records_sigma: NotNegative = 0.7
    gap_seconds: Range = (0.2, 3.0)


Timing: TypeAlias = Sessions | Steady | Loop | Batches


class Choice(Strict, frozen=True, kw_only=True):
    """A request parameter: with probability `share` an account sets it, to one of `values` for good."""

    values: tuple[float, ...] = ()
    share: Share = 0.0


class Size(Strict, frozen=True, kw_only=True):
    """A log-normal amount."""

    median: NotNegative = 0.0
    sigma: NotNegative = 0.8


class Texts(Strict, frozen=True, kw_only=True):
    """Where the prompts come from: grammar rules by weight."""

    opening: Weights
    """Rules of the first (or only) turn."""
    follow_up: Weights = {}
    """Rules of later turns; without any, later turns use `opening`."""
    keeps_to_one: bool = False
    """An account keeps to one opening rule (its language) and to the follow-up rule at the same place of its table."""
    system: Weights = {}
    """Rules of the system prompt; frozen per account."""
    system_share: Share = 1.0
    """Share of accounts that send a system prompt at all."""
    template_shared_by: PositiveCount = 1
    """Number of accounts whose frozen (`$!`) parts are the same: a shared template."""
    fixed_set: Count = 0
    """If not 0, prompts come from a list of this many texts (a benchmark, an assignment), the same for every account
    of the group."""
    fixed_order: Literal["sequence", "random"] = "sequence"


class Network(Strict, frozen=True, kw_only=True):
    """Where the calls come from."""

    pools: Weights
    """Network pools (`data/networks.toml`) by weight."""
    ips: PositiveCount = 1
    """Addresses that an account moves between."""
    rotate: Literal["never", "session", "request"] = "session"
    shared_by: Count = 0
    """If not 0, this many accounts sit behind one address (office, campus)."""
    proxies: Count = 0
    """If not 0, all accounts of the group draw their addresses from this many exits."""
    asns: Count = 0
    """If not 0, the group uses only this many networks (AS numbers) of its pools."""


class Identity(Strict, frozen=True, kw_only=True):
    """Who pays, since when, on which plan."""

    plans: Weights
    payment_share: Share = 0.45
    payment_shared_by: PositiveCount = 1
    org_shared_by: PositiveCount = 1
    age_days: Size = Size(median=100.0, sigma=1.1)
    """Age of the account at the start of the scenario."""
    signup_window_hours: NotNegative = 0.0
    """If not 0, all accounts of the group were created inside one window of this length (a batch) ..."""
    signup_days_before: NotNegative = 5.0
    """... which ended this many days before the group's first day."""


class Usage(Strict, frozen=True, kw_only=True):
    """Request parameters and amounts."""

    temperature: Choice = Choice()
    top_p: Choice = Choice()
    max_tokens: Choice = Choice()
    n: Choice = Choice()
    top_logprobs: Choice = Choice()
    stream_share: Share = 0.3
    """Share of accounts whose calls are streamed."""
    json_share: Share = 0.0
    """Share of accounts that ask for JSON answers."""
    tools: Count = 0
    """Tools declared by calls (0: none)."""
    output_tokens: Size = Size(median=250.0, sigma=0.9)
    context_tokens: Size = Size(median=0.0)
    """Tokens sent besides the prompt itself (files, documents); earlier turns come on top."""
    error_share: Share = 0.012


class Profile(Strict, frozen=True, kw_only=True):
    """One kind of client."""

    about: str = ""
    """One line for people."""
    timing: Timing
    hours: Hours = "waking"
    weekend: NotNegative = 0.7
    """Activity on Saturday and Sunday relative to a weekday."""
    activity_sigma: NotNegative = 0.6
    """Log-normal spread of activity between accounts."""
    texts: Texts
    network: Network
    clients: Weights
    """Client software (`data/clients.toml`) by weight; an account keeps what it draws."""
    devices: PositiveCount = 1
    identity: Identity
    usage: Usage = Usage()
    models: Weights = {}
    """Models by weight; empty: the scenario's own mix."""
