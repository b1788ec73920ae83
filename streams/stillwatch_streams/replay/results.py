"""What replay keeps of its results while it runs: alerts and directives go straight to files, tallies stay."""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

import msgspec
from stillwatch_schemas.alerts import encode_alert
from stillwatch_schemas.codec import encode_directive
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.findings import Finding

from stillwatch_streams.ingest import DeadLetter
from stillwatch_streams.output_folder import OutputFolder

KEPT_OF_DEAD_VALUE = 2_000
"""Characters of a record's value that the dead-letter file repeats."""


class Note(msgspec.Struct, frozen=True):
    """What the evaluation and the report need to know of an alert message."""

    time_ms: int
    kind: str
    activity: str
    tier: str
    subject_kind: str
    subject: str
    reasons: tuple[str, ...]
    campaign_id: str = ""
    """As in campaigns.csv, where the alert is about a campaign."""


class Member(msgspec.Struct, frozen=True):
    """One account of a reported campaign, and when it was first reported there: a row of campaigns.csv."""

    campaign_id: str
    account_id: str
    first_alert_ts: int


class Results:
    """The pipeline's sink: writes `alerts.jsonl`, `directives.jsonl` and `dlq.jsonl`."""

    def __init__(self, folder: OutputFolder) -> None:
        self._alerts = folder.file("alerts.jsonl")
        self._directives = folder.file("directives.jsonl")
        self._dead = folder.file("dlq.jsonl")
        self._members: dict[tuple[str, str], int] = {}
        self.notes: list[Note] = []
        self.directives = Counter[str]()
        self.dead_letters = Counter[str]()

    def finding(self, finding: Finding) -> None:
        """One alert message; members of a campaign are remembered with the time of their first report."""
        _write(self._alerts, encode_alert(finding))
        # A surge names who arrived in a network, most of them innocent: that is no claim that they belong together.
        campaign = (finding.campaign_uid or finding.uid) if finding.subject_kind == "campaign" else ""
        reasons = tuple(evidence.statement for evidence in finding.evidence)
        self.notes.append(
            Note(
                time_ms=finding.time_ms,
                kind=finding.kind,
                activity=finding.activity,
                tier=finding.tier,
                subject_kind=finding.subject_kind,
                subject=finding.subject,
                reasons=reasons,
                campaign_id=campaign,
            )
        )
        if campaign and finding.activity != "close":
            for account in finding.members:
                self._members.setdefault((campaign, account), finding.time_ms)

    def directive(self, directive: Directive | Release) -> None:
        """One directive; a release is the key with a null value, as on the topic."""
        if isinstance(directive, Directive):
            self.directives[directive.action] += 1
            _write(self._directives, encode_directive(directive))
        else:
            self.directives["release"] += 1
            release = {"key": directive.key, "value": None, "reason": directive.reason, "at": directive.at}
            _write(self._directives, msgspec.json.encode(release))

    def dead_letter(self, source: str, partition: int | None, letter: DeadLetter) -> None:
        """One record that did not fit: where it stood (line, row or offset), and why."""
        self.dead_letters[letter.code] += 1
        value = letter.record.value or b""
        entry = {
            "source": source,
            "line" if partition is None else "offset": letter.record.offset,
            "code": letter.code,
            "field": letter.field,
            "message": letter.message,
            "bytes": len(value),
            "value": value[:KEPT_OF_DEAD_VALUE].decode("utf-8", "replace"),
        }
        if partition is not None:
            entry["partition"] = partition
        _write(self._dead, msgspec.json.encode(entry))

    def members(self) -> list[Member]:
        """Every account of every reported campaign, ordered by campaign, then account."""
        return [Member(campaign, account, ts) for (campaign, account), ts in sorted(self._members.items())]

    def campaign_of(self) -> dict[str, str]:
        """The campaign that reported each account first."""
        first: dict[str, tuple[int, str]] = {}
        for (campaign, account), ts in self._members.items():
            first[account] = min(first.get(account, (ts, campaign)), (ts, campaign))
        return {account: campaign for account, (_, campaign) in first.items()}


def _write(file: BinaryIO, line: bytes) -> None:
    file.write(line)
    file.write(b"\n")
