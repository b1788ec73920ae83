"""One module a source format: each has `decode(value: bytes) -> RequestEvent`, raising ContractError."""
