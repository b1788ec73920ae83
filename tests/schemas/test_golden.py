"""The golden files: written by hand, they decode for ever. Nobody may change one to make a test pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stillwatch_schemas import codec
from stillwatch_schemas.alerts import decode_finding, encode_alert

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
WAYS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "request": (codec.decode_request, codec.encode_request),
    "signal": (codec.decode_signal, codec.encode_signal),
    "profile": (codec.decode_profile, codec.encode_profile),
    "directive": (codec.decode_directive, codec.encode_directive),
    "ack": (codec.decode_ack, codec.encode_ack),
    "verdict": (codec.decode_verdict, codec.encode_verdict),
    "alert": (decode_finding, encode_alert),
}
FILES = sorted(path for path in GOLDEN.glob("*.json") if path.stem.partition("_")[0] in WAYS)


def ways(path: Path) -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]]:
    return WAYS[path.stem.partition("_")[0]]


def test_every_contract_has_a_golden_file() -> None:
    assert {path.stem.partition("_")[0] for path in FILES} == set(WAYS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_files_decode_and_round_trip(path: Path) -> None:
    decode, encode = ways(path)
    value = decode(path.read_bytes())
    assert decode(encode(value)) == value


# These two hold fields that are not ours to keep; they are looked at below.
WHOLE = [path for path in FILES if path.stem not in {"request_from_the_future", "alert"}]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_no_field_of_a_golden_file_is_lost(path: Path) -> None:
    decode, encode = ways(path)
    assert json.loads(encode(decode(path.read_bytes()))) == json.loads(path.read_bytes())


def test_a_gateway_may_be_newer_than_the_detector() -> None:
    event = codec.decode_request((GOLDEN / "request_from_the_future.json").read_bytes())
    assert (event.account_id, event.model, event.output_tokens) == ("acct_1d40b8", "aurora-9", 88)
    assert event.sketch is not None
    assert event.sketch.words == 3


def test_the_golden_alert_gives_its_finding() -> None:
    finding = decode_finding((GOLDEN / "alert.json").read_bytes())
    assert (finding.uid, finding.tier, finding.members_total) == ("inc_77e0", "critical", 37)
    assert [item.signal for item in finding.evidence] == ["fan_in", "template_mass"]
    assert finding.evidence[0].weight == 10.8


def test_unicode_and_extremes_arrive_unharmed() -> None:
    event = codec.decode_request((GOLDEN / "request_full.json").read_bytes())
    assert event.prompt is not None
    assert event.prompt.endswith("\N{WATER WAVE}")
    assert event.seed == -42
    sketch = codec.decode_request((GOLDEN / "request_sketch_only.json").read_bytes()).sketch
    assert sketch is not None
    assert sketch.text_hash == 2**52 - 1
    assert sketch.embedding[-3:] == b"\xfd\xfe\xff"
