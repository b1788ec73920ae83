"""Where each output goes: topic, key, partition, bytes."""

from __future__ import annotations

import msgspec
from stillwatch_models.shard import Outputs
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import decode_directive, decode_signal, decode_verdict
from stillwatch_schemas.directives import Directive, Release
from stillwatch_schemas.verdicts import VERDICT_HEADER
from stillwatch_streams.outputs import Partitions, Router
from stillwatch_streams.partitioning import partition_of
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from support.builders import make_contribution, make_directive, make_finding, make_pane_closed, make_verdict

NAMES = TopicNames(Settings())
ROUTER = Router(NAMES, Partitions(alerts=8, signals=3, enforcement=5))


def test_alerts_of_one_subject_share_a_partition() -> None:
    findings = [make_finding(uid=f"inc-{n}", alert_uid=f"al-{n}", subject="acct-9") for n in range(5)]
    messages = ROUTER.messages(Outputs(findings=findings))
    assert [message.key for message in messages] == [finding.uid.encode() for finding in findings]
    assert {message.partition for message in messages} == {partition_of(b"acct-9", 8)}
    assert {message.topic for message in messages} == {NAMES.alerts}
    assert [decode_finding(message.value).alert_uid for message in messages] == [f"al-{n}" for n in range(5)]


def test_a_contribution_goes_by_group_and_the_pane_end_to_everyone() -> None:
    messages = ROUTER.messages(Outputs(signals=[make_contribution(group="asn:64500"), make_pane_closed(source=2)]))
    assert messages[0].partition == partition_of(b"asn:64500", 3)
    assert [message.partition for message in messages[1:]] == [0, 1, 2]
    assert {message.key for message in messages[1:]} == {b"source:2"}
    assert decode_signal(messages[1].value) == make_pane_closed(source=2)


def test_directives_are_signed_and_releases_are_tombstones_on_the_same_partition() -> None:
    def sign(directive: Directive) -> Directive:
        return msgspec.structs.replace(directive, signature="signed")

    router = Router(NAMES, Partitions(alerts=8, signals=3, enforcement=5), sign)
    order = make_directive(subject="acct-9")
    outputs = Outputs(directives=[order, Release(key=order.key, reason="expired", at=1)])
    first, second = router.messages(outputs)
    assert decode_directive(first.value).signature == "signed"
    assert second.value is None
    assert (first.key, first.partition) == (second.key, second.partition)
    assert dict(router.counts(outputs)) == {
        "alert": 0,
        "signal": 0,
        "directive": 1,
        "release": 1,
        "verdict": 0,
        "profile": 0,
    }


def test_a_verdict_becomes_a_control_record_where_the_judged_account_is_read() -> None:
    router = Router(NAMES, Partitions(alerts=8, signals=3, enforcement=5, requests=7))
    plain, told, wrong = make_verdict(subject="acct-9"), make_verdict(shard=2), make_verdict(subject="acct-9", shard=70)
    messages = router.messages(Outputs(verdicts=[plain, told, wrong]))
    home = partition_of(b"acct-9", 7)
    assert [message.partition for message in messages] == [home, 2, home]
    assert {message.topic for message in messages} == {NAMES.requests}
    assert {message.headers for message in messages} == {((VERDICT_HEADER, b"1"),)}
    assert [decode_verdict(message.value) for message in messages] == [plain, told, wrong]
