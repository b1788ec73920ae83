"""Only what the policy's key signed is obeyed, and another language can check it from the description alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas import signing
from stillwatch_schemas.canonical import canonical_json
from stillwatch_schemas.codec import decode_directive, encode_directive
from stillwatch_schemas.directives import Params
from stillwatch_schemas.errors import ConfigError, ContractError, SignatureError
from support.builders import make_directive

VECTOR = json.loads((Path(__file__).parents[1] / "golden" / "v1" / "signature_vector.json").read_text())
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["private_key_hex"]))
PUBLIC = KEY.public_key()


def test_a_signed_directive_verifies() -> None:
    signed = signing.sign(make_directive(), KEY)
    signing.verify(signed, PUBLIC)
    assert signing.verify_value(encode_directive(signed), PUBLIC) == signed


@pytest.mark.parametrize(
    "change",
    [
        {"action": "suspend"},
        {"subject": "acct-2"},
        {"scope": "org"},
        {"mode": "enforce"},
        {"revision": 2},
        {"expires_at": make_directive().expires_at + 1},
        {"params": Params(rpm=7, retry_after_s=30)},
        {"params": Params()},
        {"supersedes": "dir-0"},
        {"signature": None},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "not base64!"},
        {"signature": "A" * 86},
    ],
)
def test_any_change_breaks_the_signature(change: dict[str, Any]) -> None:
    changed = msgspec.structs.replace(signing.sign(make_directive(), KEY), **change)
    with pytest.raises(SignatureError, match="dir-1"):
        signing.verify(changed, PUBLIC)
    with pytest.raises(SignatureError):
        signing.verify_value(encode_directive(changed), PUBLIC)


def test_another_key_does_not_verify() -> None:
    with pytest.raises(SignatureError, match=signing.key_id(PUBLIC)):
        signing.verify(signing.sign(make_directive(), signing.generate_key()), PUBLIC)


def test_one_signature_has_one_spelling() -> None:
    """The last character of 64 bytes in base64url carries two spare bits; padding and white space are refused too."""
    signed = signing.sign(make_directive(), KEY)
    assert signed.signature is not None
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signed.signature[-1])
    spare = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    for spelling in (signed.signature[:-1] + spare, signed.signature + "==", signed.signature + "\n"):
        with pytest.raises(SignatureError):
            signing.verify(msgspec.structs.replace(signed, signature=spelling), PUBLIC)


def test_a_newer_policy_agents_unknown_field_is_signed_too() -> None:
    """An old node reads what it knows, and still sees whether the rest was tampered with."""
    fields = json.loads(encode_directive(make_directive())) | {"from_the_future": {"a": 1.5}}
    raw = KEY.sign(signing.DOMAIN + canonical_json(fields))
    fields["signature"] = signing.base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert signing.verify_value(json.dumps(fields).encode(), PUBLIC).directive_id == "dir-1"
    fields["from_the_future"] = {"a": 2}
    with pytest.raises(SignatureError):
        signing.verify_value(json.dumps(fields).encode(), PUBLIC)


def test_what_is_no_directive_is_a_contract_error() -> None:
    for value in (None, b"", b"{}", b"[1]", b"{"):
        with pytest.raises(ContractError):
            signing.verify_value(value, PUBLIC)


def test_the_vector_for_other_languages() -> None:
    """Ed25519 is deterministic: everybody gets these very bytes."""
    directive = decode_directive(json.dumps(VECTOR["directive"]).encode())
    assert signing.canonical_bytes(directive).decode() == VECTOR["signed_text"]
    assert signing.sign(directive, KEY).signature == VECTOR["signature"]
    assert signing.key_id(KEY) == VECTOR["key_id"]
    public = PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert public.hex() == VECTOR["public_key_hex"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (1e-27, "1e-27"),
        (1.5e-7, "1.5e-7"),
        (1e-6, "0.000001"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1.2345678901234567e20, "123456789012345670000"),
        (5e-324, "5e-324"),
        (-1.7976931348623157e308, "-1.7976931348623157e+308"),
        (9007199254740991, "9007199254740991"),
        ('\u20ac$\u000f\nA\'B"\\\\"/\u007f', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"'),
        ({"\ufb33": 1, "\U0001f600": 2, "a": [None, True]}, '{"a":[null,true],"\U0001f600":2,"\ufb33":1}'),
    ],
)
def test_canonical_json_writes_as_rfc_8785(value: Any, text: str) -> None:
    assert canonical_json(value).decode() == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"a": b"x"}])
def test_canonical_json_refuses_what_json_cannot_say(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogate"):
        canonical_json(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_canonical_numbers_read_back_exactly(value: float) -> None:
    assert float(canonical_json(value)) == value


def test_keys_are_written_for_their_owner_only_and_read_again(tmp_path: Path) -> None:
    key = signing.generate_key()
    signing.save_private_key(key, tmp_path / "key.pem")
    signing.save_public_key(key, tmp_path / "key.pub.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    private, public = signing.load_private_key(tmp_path / "key.pem"), signing.load_public_key(tmp_path / "key.pub.pem")
    signing.verify(signing.sign(make_directive(), private), public)
    assert signing.key_id(private) == signing.key_id(public)


def test_a_key_file_is_never_replaced(tmp_path: Path) -> None:
    signing.save_private_key(KEY, tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="exists"):
        signing.save_private_key(signing.generate_key(), tmp_path / "key.pem")
    assert signing.key_id(signing.load_private_key(tmp_path / "key.pem")) == signing.key_id(KEY)


def test_key_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for load in (signing.load_private_key, signing.load_public_key):
        with pytest.raises(ConfigError, match=r"key\.pem"):
            load(path)
    path.write_text("no key")
    path.chmod(0o600)
    for load in (signing.load_private_key, signing.load_public_key):
        with pytest.raises(ConfigError, match=r"key\.pem"):
            load(path)
    other = X25519PrivateKey.generate()
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(ConfigError, match="another kind"):
        signing.load_private_key(path)
    path.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ConfigError, match="another kind"):
        signing.load_public_key(path)


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing.save_private_key(KEY, tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        signing.load_private_key(tmp_path / "key.pem")


def test_a_key_cannot_be_written_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        signing.save_private_key(KEY, tmp_path / "absent" / "key.pem")
