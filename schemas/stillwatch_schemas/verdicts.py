"""Verdicts: what an analyst decided about an incident (topic `llm.verdicts.v1`, key: the incident uid)."""

from __future__ import annotations

from typing import Literal

import msgspec


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One analyst's judgement of one finding."""

    verdict_id: str
    finding_uid: str
    subject: str
    label: Literal["distillation", "benign", "unsure"]
    analyst: str
    at: int
    note: str = ""
    release: bool = False
    """Release every directive on the subject at once."""
