"""Dead letters keep their bytes and say where they came from; nobody can forge where they go."""

from __future__ import annotations

from stillwatch_streams.dlq import NULL_HEADER, PREFIX, letter_message, origin_of, poison_letter, redrive_message
from stillwatch_streams.ingest import DeadLetter
from stillwatch_streams.publisher import Message
from support.records import PlainRecord


def letter(record: PlainRecord) -> Message:
    dead = DeadLetter("wrong_type", "ts is a string", "ts", record)
    return letter_message(dead, dlq="requests.dlq", source="requests", partition=3, group="stillwatch", to=1)


def received(message: Message) -> PlainRecord:
    return PlainRecord(value=message.value, key=message.key, headers=message.headers)


def test_bytes_reason_and_origin() -> None:
    message = letter(PlainRecord(value=b"\x00junk", key=b"k", offset=17, headers=(("trace", b"1"),)))
    assert (message.topic, message.partition, message.key, message.value) == ("requests.dlq", 1, b"k", b"\x00junk")
    headers = dict(message.headers)
    assert headers["trace"] == b"1"
    assert headers[PREFIX + "group"] == b"stillwatch"
    assert headers[PREFIX + "delivery.count"] == b"1"
    origin = origin_of(message.headers)
    assert origin is not None
    assert (origin.topic, origin.partition, origin.offset, origin.code) == ("requests", 3, 17, "wrong_type")
    assert origin.message == "ts is a string"


def test_a_sender_chooses_neither_origin_nor_faust_headers() -> None:
    forged = ((PREFIX + "topic", b"llm.enforcement.v1"), ("Faust-Ag-ReplyTo", b"llm.enforcement.v1"))
    message = letter(PlainRecord(value=b"x", key=b"k", headers=forged))
    assert [value for name, value in message.headers if name == PREFIX + "topic"] == [b"requests"]
    assert "Faust-Ag-ReplyTo" not in dict(message.headers)


def test_a_record_with_neither_key_nor_value_can_be_written() -> None:
    message = letter(PlainRecord(value=None))
    assert message.value == b""
    assert NULL_HEADER in dict(message.headers)


def test_headers_that_are_not_ours_are_no_origin() -> None:
    assert origin_of((("x", b"1"),)) is None
    assert origin_of(((PREFIX + "topic", b"t"), (PREFIX + "partition", b"one"), (PREFIX + "offset", b"2"))) is None


def test_redrive_gives_back_what_came() -> None:
    record = PlainRecord(value=b"v", key=b"k", headers=(("trace", b"1"),), timestamp=1_767_225_600_000)
    message = letter(record)
    origin = origin_of(message.headers)
    assert origin is not None
    again = redrive_message(received(message), origin)
    assert (again.topic, again.key, again.value, again.headers) == ("requests", b"k", b"v", (("trace", b"1"),))
    assert again.timestamp_ms == 1_767_225_600_000


def test_poison_says_how_the_worker_ended() -> None:
    assert "ValueError" in poison_letter(PlainRecord(value=b"v"), "ValueError('x')").message
