"""Harvest events: each mark alone undoes one, and what an account sent before counts."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from stillwatch_models.accounts import SEEN_BYTES
from stillwatch_schemas.events import RequestEvent, Sketch
from support.builders import T0, make_event
from support.folding import PANE_MS, folded, rows_of

TASK, PERSON, GREETING, CASUAL = 1, 1 | 2, 1 | 4, 0
"""`Sketch.style`: formal; formal in the first person; formal with a greeting; neither capital nor person."""


def item(number: int, *, at: float | None = None, same_words: bool = False, **fields: object) -> RequestEvent:
    """One item of a data set: new words, own skeleton, its own conversation."""
    rng = random.Random(0 if same_words else number)
    sketch: dict[str, object] = {
        "text_hash": 1 + number,
        "template": 1 + number,
        "lead": rng.randrange(1, 2**52),
        "tail": rng.randrange(1, 2**52),
        "style": TASK,
        "minhash": tuple(rng.randrange(2**32) for _ in range(16)),
        "embedding": rng.randbytes(32),
    }
    sketch |= {name: fields.pop(name) for name in list(fields) if name in Sketch.__struct_fields__}
    defaults: dict[str, object] = {
        "event_id": f"e{number}",
        "ts": T0 + int(1000 * (11.0 * number if at is None else at)),
        "conversation_id": f"c{number}",
        "turn": 0,
        "prompt": None,
        "sketch": Sketch(**sketch),
    }
    return make_event(**(defaults | fields))


def counted(items: Sequence[RequestEvent]) -> tuple[int, int]:
    """Harvest events and informal harvest events of the one account."""
    row = rows_of(items)[0]
    return int(row["harvest"]), int(row["informal_harvest"])


def test_a_list_of_tasks_is_all_harvest() -> None:
    assert counted([item(n) for n in range(40)]) == (40, 40)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"style": PERSON}, (0, 0)),
        ({"style": GREETING}, (0, 0)),
        ({"style": CASUAL}, (0, 20)),
        ({"tool_count": 2}, (0, 0)),
        ({"output_tokens": 1}, (0, 0)),
        ({"output_tokens": None}, (20, 20)),
    ],
    ids=str,
)
def test_marks_of_single_requests(fields: dict[str, object], expected: tuple[int, int]) -> None:
    assert counted([item(n, **fields) for n in range(20)]) == expected


def test_a_request_without_text_is_none() -> None:
    assert counted([make_event(prompt=None)]) == (0, 0)


def test_the_same_text_again_is_none() -> None:
    first = [item(n) for n in range(10)]
    again = [item(n, at=1_000 + 11 * n, event_id=f"again{n}") for n in range(10)]
    assert counted([*first, *again]) == (10, 10)
    assert counted([item(1, at=n, event_id=f"e{n}", text_hash=5) for n in range(5)]) == (1, 1)  # within one pane too


def test_the_same_words_in_another_order_are_not_fresh() -> None:
    assert counted([item(n, same_words=True, lead=n + 1, tail=n + 1) for n in range(20)]) == (1, 1)


def test_a_filled_template_is_none_once_it_is_known() -> None:
    harvest, _ = counted([item(n, lead=7) for n in range(60)])
    assert harvest <= 5
    harvest, _ = counted([item(n, tail=7 if n % 5 == 0 else 100 + n) for n in range(60)])
    assert harvest > 45  # one prompt in five with the same ending is not a template


def test_following_up_on_a_topic_is_none_and_changing_it_is_one() -> None:
    talk = {"conversation_id": "c", "turn": 3}
    steady, other = bytes([100] * 32), bytes([100, 156] * 16)
    assert counted([item(n, embedding=steady, **talk) for n in range(10)])[0] == 1  # the first had nothing before it
    changing = [item(n, embedding=(steady, other)[n % 2], **talk) for n in range(10)]
    assert counted(changing)[0] == 10


def test_blocks_count_hours_with_harvest() -> None:
    hourly = [item(n, at=3_600.0 * n) for n in range(6)]
    talk = [item(50 + n, at=3_600.0 * (10 + n), style=PERSON) for n in range(4)]
    row = rows_of([*hourly, *talk])[0]
    assert (row["harvest_blocks"], row["blocks"]) == (6, 10)
    assert rows_of([item(n, at=float(n)) for n in range(6)])[0]["harvest_blocks"] == 1


def test_memory_of_texts_is_bounded_and_goes_on_working() -> None:
    table = folded([item(n, at=2.0 * n) for n in range(3_000)])
    row = table.row(0)
    for name in ("seen_words", "seen_texts"):
        assert np.bitwise_count(row[name]).sum() <= 8 * SEEN_BYTES * 0.75
    assert row["harvest"] > 2_400  # filling filters cost some new texts, never most


def test_a_pane_that_fills_the_memory_to_the_last_bit_is_survived() -> None:
    burst = [item(n, at=n / 1_000) for n in range(4_000)]
    more = [item(n, at=60 + n / 1_000) for n in range(4_000, 4_010)]
    afterwards = [item(n, at=120 + n / 1_000) for n in range(5_000, 5_010)]
    assert counted([*burst, *more]) == counted(burst)
    assert counted([*burst, *more, *afterwards])[0] == counted(burst)[0] + 10


def test_accounts_do_not_share_their_memory() -> None:
    mine = [item(n, account_id="a") for n in range(10)]
    yours = [item(n, account_id="b", event_id=f"b{n}", at=500 + 11.0 * n, text_hash=900 + n) for n in range(10)]
    assert [int(row["harvest"]) for row in rows_of([*mine, *yours])] == [10, 10]


def test_order_within_a_pane_does_not_matter() -> None:
    items = [item(n % 12, at=n * PANE_MS / 1000 / 50, event_id=f"e{n}") for n in range(40)]
    mixed = random.Random(3).sample(items, len(items))
    assert rows_of(items).tobytes() == rows_of(mixed).tobytes()


def test_what_others_send_word_for_word_is_nobodys_harvest() -> None:
    """A benchmark or an assignment: the second sender has none, and the first sender's is taken back."""
    first = [item(n, account_id="a") for n in range(10)]
    second = [item(n, account_id="b", event_id=f"b{n}", at=500 + 11.0 * n) for n in range(6)]
    assert [int(row["harvest"]) for row in rows_of([*first, *second])] == [4, 0]
    third = [item(n, account_id="c", event_id=f"c{n}", at=900 + 11.0 * n) for n in range(6)]
    assert [int(row["harvest"]) for row in rows_of([*first, *second, *third])] == [4, 0, 0]  # once


def test_one_shots_wrapped_ones_and_repeats_are_counted_apart() -> None:
    wrapped = [item(n, lead=7, tail=9) for n in range(20)]  # one template around them all
    talk = [item(20 + n, turn=1, style=PERSON) for n in range(3)]
    again = [item(n, at=500 + n) for n in range(4)]
    row = rows_of([*wrapped, *talk, *again])[0]
    assert (row["one_shots"], row["wrapped"], row["repeats"]) == (20, 20, 4)
    assert row["harvest"] < 20


@pytest.mark.parametrize("fields", [{"tool_count": 1}, {"turn": 1}])
def test_a_one_shot_uses_no_tools_and_opens_a_conversation(fields: dict[str, object]) -> None:
    assert rows_of([item(1, **fields)])[0]["one_shots"] == 0


@pytest.mark.parametrize("fields", [{"output_tokens": 20}, {"style": PERSON}, {"style": CASUAL}, {"status": 500}])
def test_a_wrapped_task_is_answered_at_length_and_impersonal(fields: dict[str, object]) -> None:
    row = rows_of([item(1, **fields)])[0]
    assert (row["one_shots"], row["wrapped"]) == (1, 0)


def test_the_mean_content_outlives_any_number_of_events() -> None:
    embedding = np.arange(-16, 16, dtype=np.int8) * 7
    row = rows_of([item(n, embedding=embedding.tobytes()) for n in range(1_000)])[0]
    content = row["one_shot_content"]
    assert 128 <= content["count"] <= 256
    np.testing.assert_allclose(content["sum"] / content["count"], embedding, atol=1)


def test_a_text_that_others_send_counts_as_shared_on_both_sides() -> None:
    first = [item(n, account_id="a") for n in range(5)]
    later = [item(n, account_id="b", at=1_000 + n, event_id=f"b{n}") for n in range(3)]
    rows = rows_of([*first, *later])
    assert rows["shared"].tolist() == [3, 3]
