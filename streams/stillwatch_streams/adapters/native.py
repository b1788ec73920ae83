"""Stillwatch's own request event, as the emitter writes it (design: the request topic's contract)."""

from __future__ import annotations

from stillwatch_schemas.codec import decode_requests

decode_all = decode_requests
"""The events in these records' values, and by position the ContractError of the others, which names the field."""
