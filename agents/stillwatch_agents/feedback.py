"""The feedback agent: analysts' verdicts in, control records in the log of the judged shard out."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch_models.verdict_relay import VerdictRelay
from stillwatch_schemas.codec import decode_verdict
from stillwatch_streams.agent_spec import AgentSpec
from stillwatch_streams.settings import Settings
from stillwatch_streams.topic_names import TopicNames
from stillwatch_streams.typed_decoder import TypedDecoder


def feedback_spec(settings: Settings) -> AgentSpec:
    """One `VerdictRelay` a partition of the verdicts topic."""

    def gauges(relay: VerdictRelay) -> Mapping[str, int]:
        return {f"verdicts_{label}": count for label, count in relay.clock.labels.items()}

    return AgentSpec(
        name="feedback",
        topic=TopicNames(settings).verdicts,
        make_shard=lambda _: VerdictRelay(),
        decode=TypedDecoder(decode_verdict),
        gauges=gauges,
    )
