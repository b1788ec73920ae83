"""The one way in: good records become events, bad ones dead letters with a code, and the batch goes on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stillwatch_schemas.codec import encode_request, encode_verdict
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.events import HEARTBEAT_HEADER, Heartbeat, RequestEvent, Sketch
from stillwatch_schemas.verdicts import VERDICT_HEADER
from stillwatch_streams.ingest import DeadLetter, Ingest, ingest_for
from stillwatch_streams.settings import SourceSettings
from support.builders import T0, make_event, make_sketch, make_verdict
from support.records import PlainRecord, make_records, record_of, unpacked

SKEW_MS = 600_000


class LengthSketcher:
    """A sketcher whose sketch says only how long the text is."""

    def sketch_many(self, texts: Sequence[tuple[str | None, str | None]]) -> list[Sketch | None]:
        return [Sketch(chars=len(prompt or "") + len(system or "")) for prompt, system in texts]


def heartbeat(value: bytes, *, offset: int = 0, timestamp: int = T0) -> PlainRecord:
    return PlainRecord(value=None, offset=offset, timestamp=timestamp, headers=((HEARTBEAT_HEADER, value),))


def only_dead_letter(ingest: Ingest, record: PlainRecord) -> DeadLetter:
    batch, dead = ingest.decode([record])
    assert batch.items == []
    assert batch.next_offset == record.offset + 1
    assert len(dead) == 1
    assert dead[0].record is record
    return dead[0]


def test_a_bad_record_is_set_aside_and_its_neighbours_are_kept() -> None:
    records = [*make_records(2, first_offset=10), PlainRecord(value=b"{", offset=12), *make_records(1, first_offset=13)]
    batch, dead = Ingest().decode(records)
    assert batch.offsets == [10, 11, 13]
    assert batch.next_offset == 14
    assert [letter.code for letter in dead] == ["malformed_json"]


def test_a_batch_of_nothing_but_bad_records_still_moves_the_offset() -> None:
    batch, dead = Ingest().decode([PlainRecord(value=b"\xff", offset=n) for n in range(3)])
    assert batch.items == []
    assert batch.next_offset == 3
    assert len(dead) == 3


def test_a_missing_field_is_named() -> None:
    letter = only_dead_letter(Ingest(), PlainRecord(value=b'{"event_id":"e","ts":1767225600000,"model":"m"}'))
    assert letter.code == "missing_field"
    assert letter.field is not None
    assert "account_id" in letter.field


@pytest.mark.parametrize("shift", [-SKEW_MS - 1, SKEW_MS + 1])
def test_time_beyond_the_allowed_skew_is_forged(shift: int) -> None:
    record = record_of(make_event(ts=T0 + shift), timestamp=T0)
    letter = only_dead_letter(Ingest(allowed_skew_ms=SKEW_MS), record)
    assert (letter.code, letter.field) == ("forged_time", "ts")
    assert str(shift) in letter.message


@pytest.mark.parametrize("shift", [-SKEW_MS, 0, SKEW_MS])
def test_time_within_the_allowed_skew_is_believed(shift: int) -> None:
    batch, dead = Ingest(allowed_skew_ms=SKEW_MS).decode([record_of(make_event(ts=T0 + shift), timestamp=T0)])
    assert len(batch.items) == 1
    assert dead == []


def test_a_record_without_broker_time_is_not_believed_where_skew_is_checked() -> None:
    assert (
        only_dead_letter(Ingest(allowed_skew_ms=SKEW_MS), record_of(make_event(), timestamp=-1)).code == "forged_time"
    )


def test_without_a_skew_limit_the_event_time_is_taken_as_it_is() -> None:
    batch, _ = Ingest().decode([record_of(make_event(), timestamp=-1)])
    assert len(batch.items) == 1


def test_a_heartbeat_header_makes_a_heartbeat_whatever_the_value() -> None:
    batch, dead = Ingest(allowed_skew_ms=SKEW_MS).decode([heartbeat(str(T0).encode(), offset=5)])
    assert batch.items == [Heartbeat(T0)]
    assert dead == []


def test_a_heartbeat_cannot_push_the_clock() -> None:
    letter = only_dead_letter(Ingest(allowed_skew_ms=SKEW_MS), heartbeat(str(T0 + SKEW_MS + 1).encode()))
    assert letter.code == "forged_time"


@pytest.mark.parametrize("value", [b"", b"soon", b"-5", b"9" * 5_000, b"\xb2", b"12"])
def test_a_heartbeat_that_is_no_time_is_refused(value: bytes) -> None:
    letter = only_dead_letter(Ingest(), heartbeat(value))
    assert (letter.code, letter.field) == ("invalid_value", HEARTBEAT_HEADER)


def test_other_headers_mean_nothing() -> None:
    record = record_of(make_event())
    with_header = PlainRecord(value=record.value, timestamp=T0, headers=(("Faust-Ag-ReplyTo", b"evil"),))
    batch, _ = Ingest().decode([with_header])
    assert isinstance(batch.items[0], RequestEvent)


def test_no_value_without_a_heartbeat_is_a_dead_letter() -> None:
    assert only_dead_letter(Ingest(), PlainRecord(value=None)).code == "empty_value"


def test_text_becomes_a_sketch_and_is_forgotten() -> None:
    event = make_event(prompt="12345", system_prompt="678")
    batch, _ = Ingest(sketcher=LengthSketcher()).decode([record_of(event)])
    item = batch.items[0]
    assert isinstance(item, RequestEvent)
    assert (item.prompt, item.system_prompt) == (None, None)
    assert item.sketch == Sketch(chars=8)
    assert item.prompt_chars == 5


def test_the_emitters_sketch_and_length_win_over_the_text() -> None:
    event = make_event(prompt="12345", prompt_chars=900, sketch=make_sketch())
    batch, _ = Ingest(sketcher=LengthSketcher()).decode([record_of(event)])
    item = batch.items[0]
    assert isinstance(item, RequestEvent)
    assert (item.prompt, item.sketch, item.prompt_chars) == (None, event.sketch, 900)


def test_plain_odd_and_bad_records_keep_their_places() -> None:
    """What the fast reading leaves to the general decoder comes back between its neighbours."""
    events = [
        make_event(event_id=f"ev-{at}", prompt=None, sketch=make_sketch(), account_id=account)
        for at, account in enumerate(["plain", "Zo\u00eb", "plain", "bad", "a \\ b", "plain"])
    ]
    records = [record_of(event, offset) for offset, event in enumerate(events)]
    records[3] = PlainRecord(value=b"{}", offset=3)
    batch, dead = Ingest().decode(records)
    assert unpacked(batch.items) == [event for event in events if event.account_id != "bad"]
    assert batch.offsets == [0, 1, 2, 4, 5]
    assert [(letter.record.offset, letter.code) for letter in dead] == [(3, "missing_field")]


def test_privacy_mode_passes_through() -> None:
    event = make_event(prompt=None, sketch=make_sketch())
    batch, _ = Ingest(sketcher=LengthSketcher()).decode([record_of(event)])
    assert unpacked(batch.items) == [event]


KINDS = {
    "good": lambda: record_of(make_event()),
    "sketched": lambda: record_of(make_event(prompt=None, sketch=make_sketch())),
    "traced": lambda: replace(record_of(make_event()), headers=(("traceparent", b"00-1-2-01"),)),
    "forged": lambda: record_of(make_event(ts=T0 - SKEW_MS - 1), timestamp=T0),
    "malformed": lambda: PlainRecord(value=b"[]"),
    "two in one": lambda: PlainRecord(value=encode_request(make_event()) + b"\n" + encode_request(make_event())),
    "half a sketch": lambda: record_of(make_event(sketch=make_sketch(minhash=(1, 2)))),
    "empty": lambda: PlainRecord(value=None),
    "beat": lambda: heartbeat(str(T0).encode()),
    "beat that is none": lambda: heartbeat(b"soon"),
    "verdict": lambda: verdict_record(encode_verdict(make_verdict())),
}
"""Every kind of record."""


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12))
def test_the_batch_size_changes_nothing(kinds: list[str]) -> None:
    records = [replace(KINDS[kind](), offset=offset) for offset, kind in enumerate(kinds)]
    ingest = Ingest(sketcher=LengthSketcher(), allowed_skew_ms=SKEW_MS)
    whole, dead = ingest.decode(records)
    singly = [ingest.decode([record]) for record in records]
    good = ("good", "sketched", "traced", "beat", "verdict")
    assert whole.offsets == [offset for offset, kind in enumerate(kinds) if kind in good]
    assert [letter.record for letter in dead] == [records[at] for at, kind in enumerate(kinds) if kind not in good]
    assert unpacked(whole.items) == unpacked([item for batch, _ in singly for item in batch.items])
    assert whole.offsets == [offset for batch, _ in singly for offset in batch.offsets]
    assert dead == [letter for _, letters in singly for letter in letters]


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="native, litellm"):
        Ingest(source_format="csv")  # type: ignore[arg-type]  # the wrong value is what is tested


def test_the_settings_decide_format_skew_and_key() -> None:
    source = SourceSettings(allowed_skew_seconds=600.0, sketch_key="a key of sixteen bytes")
    late = record_of(make_event(), timestamp=T0 + SKEW_MS + 1)
    live, from_file = ingest_for(source, has_broker_time=True), ingest_for(source, has_broker_time=False)
    assert only_dead_letter(live, late).code == "forged_time"
    batch, _ = from_file.decode([late])
    keyless, _ = ingest_for(SourceSettings(), has_broker_time=False).decode([late])
    sketch, public = (item.sketch for item in (*batch.items, *keyless.items) if isinstance(item, RequestEvent))
    assert sketch is not None
    assert public is not None
    assert sketch.text_hash != public.text_hash


def verdict_record(value: bytes, timestamp: int = T0) -> PlainRecord:
    return PlainRecord(value=value, timestamp=timestamp, headers=((VERDICT_HEADER, b"1"),))


def test_a_verdict_header_makes_a_verdict_whenever_it_was_given() -> None:
    verdict = make_verdict(at=T0 - 10 * SKEW_MS)
    batch, dead = Ingest(allowed_skew_ms=SKEW_MS).decode([verdict_record(encode_verdict(verdict))])
    assert batch.items == [verdict]
    assert dead == []


def test_a_verdict_that_is_none_is_a_dead_letter() -> None:
    letter = only_dead_letter(Ingest(), verdict_record(b'{"label":"guilty"}'))
    assert letter.code in {"invalid_value", "missing_field"}


def test_verdicts_can_be_refused() -> None:
    ingest = ingest_for(SourceSettings(accept_verdicts=False), has_broker_time=True)
    letter = only_dead_letter(ingest, verdict_record(encode_verdict(make_verdict())))
    assert (letter.code, letter.field) == ("refused_verdict", VERDICT_HEADER)
    assert "source.accept_verdicts" in letter.message
