"""The relay hands every verdict on, and after a restart only the ones that it had not."""

from __future__ import annotations

from stillwatch_models.shard import Batch
from stillwatch_models.verdict_relay import VerdictRelay
from stillwatch_schemas.verdicts import Verdict
from support.builders import make_verdict


def batch(*verdicts: Verdict, start: int = 0) -> Batch[Verdict]:
    end = start + len(verdicts)
    return Batch(items=list(verdicts), offsets=list(range(start, end)), next_offset=end)


def test_every_verdict_is_handed_on_in_order() -> None:
    verdicts = [make_verdict(verdict_id=f"v{n}", label=label) for n, label in enumerate(["benign", "unsure", "benign"])]
    relay = VerdictRelay()
    assert relay.process(batch(*verdicts)).verdicts == verdicts
    assert relay.clock.labels == {"benign": 2, "unsure": 1}


def test_a_restored_relay_goes_on_where_it_was() -> None:
    first, second = make_verdict(verdict_id="v1"), make_verdict(verdict_id="v2")
    relay = VerdictRelay()
    relay.process(batch(first))
    saved = relay.checkpoint()
    assert saved is not None
    assert relay.checkpoint() is None
    other = VerdictRelay()
    assert other.restore({key: row for key, row in saved.rows.items() if row is not None}) == 1
    assert other.process(batch(first, second)).verdicts == [second]
    relay.process(batch(second, start=1))
    assert other.snapshot() == relay.snapshot()
