"""What the report's words mean, in the report, for it is passed on without the documentation."""

from __future__ import annotations

from stillwatch_streams.replay.report.html import cell, section

WORDS = """\
score: What accounts are ranked by. Evidence that the account harvests, in nats (natural logarithms of how many times \
likelier its requests are then); negative where they speak for innocence. Members of reported campaigns stand before \
accounts that were reported alone. Only the order counts.
harvest event: A request like one item of a data set: it stands alone, is answered, new to the account and sent by \
nobody else, follows no template, and is worded as a task, in no person's voice.
innocent accounts stay below: The share of harvest events that an innocent account is granted; it follows the \
population.
cosine, close neighbours: How alike the content is that two accounts ask about: 0 nothing in common, 1 the same.
incident, alert: An incident is one suspicion about one subject; alerts are its messages: opened, graver or going on, \
closed.
alerted, reported: With an incident of its own; a member of a reported campaign.
recall at 0.1% false positives: Of the distilling accounts, those with a higher score than all but one in a thousand \
innocent ones.
leaked: Attack exchanges answered before the first alert on any account of the campaign.
not contained: Attack exchanges before the alert on their own account.
false-positive budget used: Benign accounts alerted per 10,000 account-days; compare with \
engine.budget_per_10k_account_days below.
purity, belonging: Members of a reported campaign that belong to the true campaign most of them belong to.
"""
"""A word or several, a colon, and what is meant: one entry a line."""


def glossary() -> str:
    """The section that explains the others."""
    entries = (line.partition(": ") for line in WORDS.splitlines())
    listed = "".join(f"<dt>{cell(word)}</dt><dd>{cell(meaning)}</dd>" for word, _, meaning in entries)
    return section("What the words mean", f"<dl>{listed}</dl>")
