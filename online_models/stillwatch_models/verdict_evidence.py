"""A verdict as evidence of a finding: who judged what, and why; the same words for accounts and for campaigns."""

from __future__ import annotations

from stillwatch_schemas.findings import Evidence
from stillwatch_schemas.verdicts import Verdict

from stillwatch_models.feedback import Judged

SAID = {"benign": "is benign", "distillation": "distils", "unsure": "may or may not distil"}


def verdict_evidence(verdict: Verdict | Judged) -> Evidence:
    """It weighs nothing in nats: what it decides is decided elsewhere."""
    subject = verdict.subject_kind if isinstance(verdict, Verdict) else "account"
    said = f"{verdict.analyst} judged that the {subject} {SAID[verdict.label]} (verdict {verdict.verdict_id})"
    return Evidence(
        signal="verdict",
        statement=f"{said}: {verdict.note}" if verdict.note else said,
        observed=float(verdict.label == "distillation"),
        baseline=0.0,
        percentile=100.0,
        unit="verdict",
        horizon="until the next verdict",
        p_value=1.0,
        weight=0.0,
    )
