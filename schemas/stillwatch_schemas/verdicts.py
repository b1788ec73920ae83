"""Verdicts: what an analyst decided about an incident (topic `llm.verdicts.v1`, key: the incident uid)."""

from __future__ import annotations

from typing import Literal

import msgspec

from stillwatch_schemas.limits import Id, Paragraph, TimeMs


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One analyst's judgement of one finding."""

    verdict_id: Id
    finding_uid: Id
    subject: Id
    label: Literal["distillation", "benign", "unsure"]
    analyst: Id
    at: TimeMs
    note: Paragraph = ""
    release: bool = False
    """Release every directive on the subject at once."""
