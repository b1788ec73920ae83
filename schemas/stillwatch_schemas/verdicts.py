"""Verdicts: what an analyst decided about an incident (topic `llm.verdicts.v1`, key: the incident uid)."""

from __future__ import annotations

from typing import Literal

import msgspec

from stillwatch_schemas.limits import Id, Paragraph, Partition, TimeMs, Word

Label = Literal["distillation", "benign", "unsure"]

VERDICT_HEADER = "stillwatch-verdict"
"""A record of the request topic with this header carries a verdict as its value and no request. Stillwatch writes it,
so that what analysts decide stands in the log that the detector reads, and a replay of the log finds the same."""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One analyst's judgement of one finding. Of two about one subject the later counts, by (`at`, `verdict_id`)."""

    verdict_id: Id
    finding_uid: Id
    subject: Id
    label: Label
    """distillation confirms the incident, benign closes it, unsure is kept and changes nothing."""
    analyst: Id
    at: TimeMs
    note: Paragraph = ""
    release: bool = False
    """Release every directive on the subject at once."""
    subject_kind: Literal["account", "campaign"] = "account"
    kind: Word = "distillation"
    """Attack kind of the finding that was judged."""
    shard: Partition | None = None
    """Source partition that raised the finding; without it the partition of the subject's key."""

    @property
    def ts(self) -> int:
        """When it was given, under the name that other items of the request topic have."""
        return self.at
