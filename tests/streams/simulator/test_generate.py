"""Generated streams: sorted, repeatable, honest labels, and campaigns that do what their scenario says."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice

import msgspec
import pytest
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.simulator import LabelledEvent, Scenario, generate, labels, load_scenario, parse_scenario
from stillwatch_streams.simulator.timing import DAY

MONDAY = 1_772_409_600_000
HEAD = 'name = "mine"\nabout = "a test"\ndays = 4\nmodels = [{ name = "m" }, { name = "m2" }, { name = "m3" }]\n'


def campaign(text: str, family: str = "cot", accounts: int = 20, head: str = HEAD) -> Scenario:
    return parse_scenario(
        f'{head}[[campaigns]]\nid = "c"\nfamily = "{family}"\naccounts = {accounts}\n{text}', where="t"
    )


@pytest.fixture(scope="module")
def tiny() -> list[LabelledEvent]:
    return list(generate(load_scenario("tiny"), 3, MONDAY))


def test_tiny_is_small_sorted_and_unique(tiny: list[LabelledEvent]) -> None:
    times = [labelled.event.ts for labelled in tiny]
    assert 1_000 < len(tiny) < 4_000
    assert times == sorted(times)
    assert times[0] >= MONDAY
    assert times[-1] < MONDAY + DAY + 1_000
    assert len({labelled.event.event_id for labelled in tiny}) == len(tiny)


def test_equal_seeds_give_equal_events_and_others_do_not(tiny: list[LabelledEvent]) -> None:
    assert list(generate(load_scenario("tiny"), 3, MONDAY)) == tiny
    assert list(generate(load_scenario("tiny"), 4, MONDAY)) != tiny


def test_events_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import hashlib, msgspec\n"
        "from stillwatch_streams.simulator import generate, load_scenario\n"
        "events = [item.event for item in generate(load_scenario('tiny'), 3, 0)]\n"
        "print(hashlib.sha256(msgspec.json.encode(events)).hexdigest())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_adding_a_group_changes_nobody_elses_events(tiny: list[LabelledEvent]) -> None:
    scenario = load_scenario("tiny")
    more = msgspec.structs.replace(scenario, benign=(*scenario.benign, scenario.benign[0]))
    names = {label.account_id for label in labels(scenario, 3)}
    assert [item for item in generate(more, 3, MONDAY) if item.event.account_id in names] == tiny


def test_labels_say_what_the_events_are(tiny: list[LabelledEvent]) -> None:
    truth = {label.account_id: label for label in labels(load_scenario("tiny"), 3)}
    for event, is_attack, campaign_id in tiny:
        label = truth[event.account_id]
        assert (campaign_id is not None) == is_attack
        if is_attack:
            assert (label.label, label.campaign_id) == ("distill", campaign_id)
    cover = [item for item in tiny if not item.is_attack and truth[item.event.account_id].label == "distill"]
    assert cover, "campaign t2 mixes in chats"


def test_nothing_in_an_event_names_the_label(tiny: list[LabelledEvent]) -> None:
    words = ("attack", "distill", "campaign", "benign", "t1", "t2")
    for event, _, _ in tiny:
        ids = (
            event.event_id,
            event.account_id,
            event.org_id,
            event.api_key_id,
            event.payment_id,
            event.conversation_id,
        )
        assert not any(word in (text or "") for word in words[:4] for text in ids)


def test_addresses_and_networks_are_nobodys(tiny: list[LabelledEvent]) -> None:
    ours = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")]
    for event, _, _ in tiny:
        assert event.client_ip is not None
        assert event.client_asn is not None
        address = ipaddress.ip_address(event.client_ip)
        assert any(address in network for network in ours if network.version == address.version)
        assert 64_496 <= event.client_asn <= 64_511 or event.client_asn >= 4_200_000_000


def test_usage_is_plausible(tiny: list[LabelledEvent]) -> None:
    answered = [item.event for item in tiny if item.event.status == 200]
    assert 0.95 < len(answered) / len(tiny) < 1.0
    for event in answered:
        assert event.output_tokens
        assert event.latency_ms
        assert event.max_tokens is None or event.output_tokens <= event.max_tokens
        assert event.finish_reason == ("length" if event.output_tokens == event.max_tokens else "stop")
        assert event.prompt
        assert event.prompt_chars == len(event.prompt)


def test_every_event_fits_the_contract_through_json(tiny: list[LabelledEvent]) -> None:
    decoder = msgspec.json.Decoder(RequestEvent)
    assert all(decoder.decode(msgspec.json.encode(item.event)) == item.event for item in tiny)


def test_generation_is_lazy() -> None:
    endless = msgspec.structs.replace(load_scenario("tiny"), days=100_000.0)
    assert len(list(islice(generate(endless, 1, MONDAY), 5_000))) == 5_000


def test_low_and_slow_accounts_send_about_what_was_published() -> None:
    scenario = campaign('start_day = 0\nprofile.timing = { rhythm = "steady", per_day = 25.6 }\n', accounts=50)
    events = list(generate(scenario, 1, MONDAY))
    assert len(events) / 50 / 4 == pytest.approx(25.6, rel=0.1)


def test_a_pivot_moves_its_share_within_a_day() -> None:
    head = HEAD + "[release]\nday = 1.0\nmodel = { name = 'new' }\n"
    scenario = campaign("start_day = 0\npivot = { share = 0.5, within_hours = 24.0 }\n", accounts=40, head=head)
    share = defaultdict(list)
    for event, _, _ in generate(scenario, 1, MONDAY):
        share[(event.ts - MONDAY) // DAY].append(event.model == "new")
    assert not any(share[0])
    assert sum(share[2]) / len(share[2]) == pytest.approx(0.5, abs=0.06)


def test_teachers_get_the_same_prompt() -> None:
    events = [item.event for item in generate(campaign("start_day = 0\nteachers = 3\n", accounts=2), 1, MONDAY)]
    models: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for event in events:
        models[event.account_id, event.conversation_id].append(event.model)
    assert {tuple(sorted(names)) for names in models.values()} == {("m", "m2", "m3")}


def test_a_campaign_on_few_networks_and_exits_shares_them() -> None:
    text = "start_day = 0\nprofile.network = { pools = { proxy = 1.0 }, proxies = 12, asns = 3 }\n"
    events = [item.event for item in generate(campaign(text), 1, MONDAY)]
    assert len({event.client_ip for event in events}) <= 12
    assert len({event.client_asn for event in events}) <= 3


def test_payment_and_signup_batches_are_shared() -> None:
    text = (
        "start_day = 0\nprofile.identity = { payment_share = 1.0, payment_shared_by = 4, signup_window_hours = 2.0, "
        "signup_days_before = 3.0 }\n"
    )
    events = [item.event for item in generate(campaign(text), 1, MONDAY)]
    accounts = {event.account_id: event for event in events}
    assert set(Counter(event.payment_id for event in accounts.values()).values()) == {4}
    created = [event.account_created_at or 0 for event in accounts.values()]
    assert max(created) - min(created) <= 2 * 3_600_000
    assert max(created) <= MONDAY - 3 * DAY


def test_an_office_is_one_address_and_one_payer() -> None:
    text = f'{HEAD}[[benign]]\narchetype = "office_nat"\naccounts = 50\n'
    events = [item.event for item in generate(parse_scenario(text, where="t"), 1, MONDAY)]
    assert len({event.client_ip for event in events}) == 2
    assert len({event.payment_id for event in events}) == 2


def test_people_keep_to_one_language() -> None:
    text = f'{HEAD}[[benign]]\narchetype = "human_multilingual"\naccounts = 40\nactivity = 4.0\n'
    han: dict[str, set[bool]] = defaultdict(set)
    for event, _, _ in generate(parse_scenario(text, where="t"), 1, MONDAY):
        han[event.account_id].add(any("\u4e00" <= letter <= "\u9fff" for letter in event.prompt or ""))
    assert all(len(scripts) == 1 for scripts in han.values())
    assert {frozenset(scripts) for scripts in han.values()} == {frozenset({True}), frozenset({False})}


def test_accounts_measure_with_the_same_question_set() -> None:
    text = f'{HEAD}[[benign]]\narchetype = "eval_harness"\naccounts = 8\nprofile.texts = {{ fixed_set = 60 }}\n'
    prompts = {event.prompt for event, _, _ in generate(parse_scenario(text, where="t"), 1, MONDAY)}
    assert 30 <= len(prompts) <= 60
