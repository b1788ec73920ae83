"""From a tick to a request event: the text, the parameters, the tokens and the result."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
from stillwatch_schemas.events import RequestEvent

from stillwatch_streams.simulator.accounts import Person, Stream
from stillwatch_streams.simulator.dice import dice
from stillwatch_streams.simulator.grammar import Frozen, Grammar
from stillwatch_streams.simulator.models import ModelMix
from stillwatch_streams.simulator.places import Address, device, weighted
from stillwatch_streams.simulator.profile import Choice, Size, Texts, Usage
from stillwatch_streams.simulator.scenario import Model
from stillwatch_streams.simulator.timing import Tick

_CHARS_PER_TOKEN = 4.1
_CHARS_PER_TOKEN_HAN = 1.4
_FIRST_BYTE_MS = 240.0
_TEACHER_PAUSE_MS = 900
_HOME_ADDRESS_SHARE = 0.6


class Prompts:
    """The texts of one account."""

    def __init__(self, texts: Texts, grammar: Grammar, group_key: str, position: int, rng: Random) -> None:
        self._texts = _kept(texts, rng) if texts.keeps_to_one else texts
        self._grammar = grammar
        self._rng = rng
        self._frozen = Frozen(f"{group_key}/template/{position // texts.template_shared_by}")
        self._fixed_key = f"{group_key}/fixed"
        self._next_fixed = int(rng.random() * texts.fixed_set) if texts.fixed_set else 0
        sends_system = texts.system and rng.random() < texts.system_share
        self.system = self._grammar.expand(weighted(texts.system, rng), rng, self._frozen) if sends_system else None

    def next(self, turn: int) -> str:
        """The prompt of the given turn of a conversation."""
        texts = self._texts
        if turn and texts.follow_up:
            return self._grammar.expand(weighted(texts.follow_up, self._rng), self._rng, self._frozen)
        if texts.fixed_set:
            return self._fixed()
        return self._grammar.expand(weighted(texts.opening, self._rng), self._rng, self._frozen)

    def _fixed(self) -> str:
        size = self._texts.fixed_set
        if self._texts.fixed_order == "random":
            number = int(self._rng.random() * size)
        else:
            number = self._next_fixed = (self._next_fixed + 1) % size
        rng = dice(f"{self._fixed_key}/{number}")
        return self._grammar.expand(weighted(self._texts.opening, rng), rng, self._frozen)


def exchanges(
    who: Person, stream: Stream, prompts: Prompts, models: ModelMix, *, rng: Random, teachers: int
) -> Iterator[RequestEvent]:
    """The request events of one stream of an account, in time order."""
    usage = stream.profile.usage
    fixed = _fixed_fields(who, usage, prompts.system, rng)
    devices = [device(stream.profile.clients, rng)]
    for _ in range(1, stream.profile.devices):
        devices.append(device(stream.profile.clients, rng) if rng.random() < _SECOND_DEVICE_SHARE else devices[0])
    route = _Route(who.addresses, stream.profile.network.rotate)
    last_ms = number = 0
    for tick in stream.calls:
        prompt = prompts.next(tick.turn)
        seen = devices[tick.conversation % len(devices)]
        for teacher in range(teachers):
            last_ms = max(last_ms, tick.at_ms + teacher * _TEACHER_PAUSE_MS)
            place = route.address(tick.conversation, rng)
            model = models.teacher(teacher) if teachers > 1 else models.choose(last_ms, rng)
            yield RequestEvent(
                event_id=f"{stream.prefix}-{number:x}",
                ts=last_ms,
                model=model.name,
                conversation_id=f"{stream.prefix}.{tick.conversation:x}",
                turn=tick.turn,
                client_ip=place.ip,
                client_asn=place.asn,
                client_country=place.country,
                client_ja4=seen.ja4,
                user_agent=seen.user_agent,
                prompt=prompt,
                prompt_chars=len(prompt),
                **_result(usage, tick, prompt, model, fixed, rng=rng),
                **fixed,
            )
            number += 1


class _Route:
    """Which of its addresses an account uses next."""

    def __init__(self, addresses: list[Address], rotate: str) -> None:
        self._addresses = addresses
        self._rotate = rotate
        self._conversation = -1
        self._now = addresses[0]

    def address(self, conversation: int, rng: Random) -> Address:
        """The address of the next call."""
        moves = self._rotate == "request" or (self._rotate == "session" and conversation != self._conversation)
        if moves and len(self._addresses) > 1:
            at_home = self._rotate == "session" and rng.random() < _HOME_ADDRESS_SHARE
            self._now = self._addresses[0 if at_home else int(rng.random() * len(self._addresses))]
        self._conversation = conversation
        return self._now


def _fixed_fields(who: Person, usage: Usage, system: str | None, rng: Random) -> dict[str, Any]:
    """The fields that are the same in every call of the stream."""
    fields: dict[str, Any] = {
        "account_id": who.account_id,
        "org_id": who.org_id,
        "api_key_id": who.api_key_id,
        "plan": who.plan,
        "payment_id": who.payment_id,
        "account_created_at": who.created_at,
        "system_prompt": system,
        "temperature": _chosen(usage.temperature, rng),
        "top_p": _chosen(usage.top_p, rng),
        "max_tokens": _whole(usage.max_tokens, rng),
        "n": _whole(usage.n, rng),
        "top_logprobs": _whole(usage.top_logprobs, rng),
        "stream": rng.random() < usage.stream_share,
    }
    if fields["top_logprobs"] is not None:
        fields["logprobs"] = True
    if usage.tools:
        fields["tool_count"] = 1 + int(rng.random() * usage.tools)
    if rng.random() < usage.json_share:
        fields["response_format"] = "json_object"
    return fields


def _result(
    usage: Usage, tick: Tick, prompt: str, model: Model, fixed: dict[str, Any], *, rng: Random
) -> dict[str, Any]:
    """Token counts, status and times of one call."""
    context = _drawn(usage.context_tokens, rng) * (1 + tick.turn) if usage.context_tokens.median else 0
    per_token = _CHARS_PER_TOKEN if prompt.isascii() or prompt[0] < _FIRST_HAN else _CHARS_PER_TOKEN_HAN
    given = 4 + int((len(prompt) + len(fixed["system_prompt"] or "")) / per_token + context)
    if rng.random() < usage.error_share:
        return {"input_tokens": given, "status": _failure(rng), "latency_ms": float(20 + int(rng.random() * 300))}
    ceiling = fixed["max_tokens"]
    output = 1 + int(_drawn(usage.output_tokens, rng))
    cut = ceiling is not None and output >= ceiling
    output = ceiling if cut else output
    reasoning = int(output * (0.5 + 2.5 * rng.random())) if model.reasons else None
    ms = _FIRST_BYTE_MS + (output + (reasoning or 0)) * model.ms_per_token * (0.7 + 0.6 * rng.random())
    latency = float(int(min(ms, tick.room_ms * 0.97) if tick.room_ms else ms))
    return {
        "input_tokens": given,
        "output_tokens": output,
        "reasoning_tokens": reasoning,
        "cached_tokens": int(context * _CACHED_SHARE) if tick.turn else None,
        "status": 200,
        "finish_reason": "length" if cut else "stop",
        "latency_ms": latency,
        "ttft_ms": float(int(min(latency, _FIRST_BYTE_MS * (0.6 + rng.random())))) if fixed["stream"] else None,
    }


def _kept(texts: Texts, rng: Random) -> Texts:
    """The part of the texts that an account with one language uses."""
    rule = weighted(texts.opening, rng)
    place = list(texts.opening).index(rule)
    follow_up = dict(list(texts.follow_up.items())[place : place + 1])
    return msgspec.structs.replace(texts, opening={rule: 1.0}, follow_up=follow_up)


_SECOND_DEVICE_SHARE = 0.3
_CACHED_SHARE = 0.6
_FIRST_HAN = "\u2e80"
_RATE_LIMITED_SHARE = 0.6
_SERVER_ERROR_SHARE = 0.9


def _failure(rng: Random) -> int:
    kind = rng.random()
    return 429 if kind < _RATE_LIMITED_SHARE else 500 if kind < _SERVER_ERROR_SHARE else 400


def _drawn(size: Size, rng: Random) -> float:
    return rng.lognormvariate(0.0, size.sigma) * size.median


def _chosen(choice: Choice, rng: Random) -> float | None:
    if choice.values and rng.random() < choice.share:
        return choice.values[int(rng.random() * len(choice.values))]
    return None


def _whole(choice: Choice, rng: Random) -> int | None:
    value = _chosen(choice, rng)
    return None if value is None else int(value)
