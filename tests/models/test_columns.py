"""Events as columns: every field lands where it belongs, and what is missing stays neutral."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models import columns
from support.builders import T0, make_event, make_full_event, make_sketch


def build(**fields: object) -> np.void:
    """The one row of one event."""
    return columns.build([make_event(**({"prompt": None} | fields))], [7])[0]


def test_a_full_event_fills_its_columns() -> None:
    row = columns.build([make_full_event(sketch=make_sketch(elicitation=1.0, grading=0.5))], [42])[0]
    assert (row["offset"], row["ts"]) == (42, T0)
    assert row["cells"].tolist() == [17, 803, 2044, -1]
    assert row["embedding"].tolist() == list(range(32))
    assert (row["text_hash"], row["template"]) == (make_sketch().text_hash, make_sketch().template)
    assert (row["elicitation"], row["grading"], row["probing"]) == (255, 127, 0)
    assert (row["asn"], row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (64500, 12, 140, 60)
    assert row["has_text"] == 1


def test_an_event_that_knows_nothing_is_neutral() -> None:
    bare = dict.fromkeys(("client_asn", "input_tokens", "output_tokens", "status", "finish_reason"))
    row = build(**bare)
    for name in ("asn", "output_tokens", "failed", "rides_limit", "has_text", "template", "conversation", "follow_up"):
        assert row[name] == 0
    assert row["cells"].tolist() == [-1] * 4
    assert row["one_shot"] == 1  # nothing says that it followed something


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"turn": 0}, "one_shot"),
        ({"turn": 2}, "follow_up"),
        ({"finish_reason": "length"}, "rides_limit"),
        ({"status": 429}, "failed"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 5}, "logprobs"),
        ({"n": 2}, "many"),
        ({"tool_count": 1}, "tools"),
        ({"sketch": make_sketch(system_template=5)}, "system"),
    ],
)
def test_flags(fields: dict[str, object], name: str) -> None:
    assert build(**fields)[name] == 1
    assert build(turn=1 if name == "one_shot" else 0)[name] == 0


def test_the_greatest_values_of_the_contract_fit() -> None:
    row = build(
        client_asn=2**32 - 1,
        output_tokens=10**9,
        turn=10**9,
        sketch=make_sketch(text_hash=2**52 - 1, template=2**52 - 1, chars=10**9, cells=(4095, 0, 1, 2), probing=1.0),
    )
    assert (row["asn"], row["output_tokens"], row["chars"]) == (2**32 - 1, 10**9, 10**9)
    assert (row["text_hash"], row["template"], row["probing"]) == (2**52 - 1, 2**52 - 1, 255)
    assert row["cells"].tolist() == [4095, 0, 1, 2]


def test_a_sketch_without_an_embedding_is_taken() -> None:
    assert build(sketch=make_sketch(embedding=b""))["embedding"].tolist() == [0] * 32


def test_identifiers_may_be_any_text() -> None:
    assert columns.hash_text("\ud800") != columns.hash_text("a")
    assert columns.hash_text(None) == columns.hash_text("") == 0


def test_a_sketch_with_too_few_minhash_values_has_none() -> None:
    assert build(sketch=make_sketch(minhash=(1, 2, 3)))["minhash"].tolist() == [0] * columns.MINHASHES


def test_what_is_packed_has_the_layout_of_a_record() -> None:
    assert columns.PACKED.size == columns.EVENT.itemsize
    assert all(columns.EVENT.fields[name][1] % columns.EVENT[name].base.alignment == 0 for name in columns.EVENT.names)


def test_identifiers_and_hashes_land_in_their_own_columns() -> None:
    row = build(event_id="e", conversation_id="c", model="m", org_id="o", account_created_at=86_400_000 * 3)
    assert [row[name] for name in ("event_hash", "conversation", "model", "org")] == [
        columns.hash_text(text) for text in "ecmo"
    ]
    assert row["created"] == 3
    sketch = make_sketch(opening=1, lead=2, tail=3, system_template=2**32 + 4, minhash=tuple(range(16)))
    row = build(sketch=sketch)
    assert [row[name] for name in ("opening", "lead", "tail", "system_template")] == [1, 2, 3, 4]
    assert row["minhash"].tolist() == list(range(columns.MINHASHES))
    assert [row[name] for name in ("row", "pane", "max_before", "late", "shared", "released", "requeried")] == [0] * 7


def test_no_events_no_rows() -> None:
    assert len(columns.build([], [])) == 0


def test_what_accounts_may_have_in_common_is_told_apart() -> None:
    known = build(payment_id="card-1", client_ja4="t13", user_agent="sdk/1")
    for fields, name in (
        ({"payment_id": "card-2"}, "payment"),
        ({"client_ja4": "t14", "user_agent": "sdk/1"}, "client"),
        ({"client_ja4": "t13", "user_agent": "sdk/2"}, "client"),
        ({"org_id": "org-2"}, "org"),
        ({"client_ip": "192.0.3.10"}, "net"),
    ):
        assert build(**fields)[name] not in {0, known[name]}
    for name in ("payment", "client"):
        assert build()[name] == 0
