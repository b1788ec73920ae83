"""Signatures on directives: Ed25519 over canonical bytes. Serving nodes hold only public keys.

What is signed: the bytes `stillwatch.directive.v1` and a line feed, then the directive's JSON object in canonical form
(RFC 8785) without `signature` and without members that are null or an empty object. docs/contracts/signing.md says it
for implementers in other languages. Needs the extra `[signing]`.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from stillwatch_schemas.canonical import canonical_json
from stillwatch_schemas.codec import decode_directive
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import ConfigError, SignatureError

DOMAIN: Final = b"stillwatch.directive.v1\n"
"""Put before the JSON, so that a signature made for something else is never one of a directive."""
SIGNATURE_BYTES: Final = 64
_KEY_ID_BYTES: Final = 8


def canonical_bytes(directive: Directive) -> bytes:
    """What is signed: equal for equal directives, whatever the signature."""
    return _to_be_signed(msgspec.to_builtins(directive))


def _to_be_signed(fields: dict[str, Any]) -> bytes:
    said = {name: value for name, value in fields.items() if name != "signature" and value is not None and value != {}}
    return DOMAIN + canonical_json(said)


def sign(directive: Directive, private_key: Ed25519PrivateKey) -> Directive:
    """The directive with its signature: base64url without padding."""
    signature = base64.urlsafe_b64encode(private_key.sign(canonical_bytes(directive))).rstrip(b"=").decode()
    return msgspec.structs.replace(directive, signature=signature)


def verify(directive: Directive, public_key: Ed25519PublicKey) -> None:
    """Return if the key's other half signed exactly this directive; else raise `SignatureError`.

    A node that may be older than the policy agent uses `verify_value`: fields that it does not know were signed too.
    """
    _check(directive, canonical_bytes(directive), public_key)


def verify_value(value: bytes | None, public_key: Ed25519PublicKey) -> Directive:
    """The directive in a record's value, once its signature has been checked over all members, also unknown ones.

    Raises `ContractError` for what is no directive, `SignatureError` for one that the key did not sign.
    """
    directive = decode_directive(value)
    _check(directive, _to_be_signed(msgspec.json.decode(value or b"")), public_key)
    return directive


def _check(directive: Directive, signed: bytes, public_key: Ed25519PublicKey) -> None:
    name = f"directive {directive.directive_id} for {directive.key}"
    if not directive.signature:
        raise SignatureError(f"{name} is not signed; give the policy agent a signing key")
    try:
        public_key.verify(_signature_bytes(directive.signature), signed)
    except (InvalidSignature, ValueError) as error:
        message = f"{name} is not signed by key {key_id(public_key)}: do not obey it; check which key the policy uses"
        raise SignatureError(message) from error


def generate_key() -> Ed25519PrivateKey:
    """A new private key from the system's randomness."""
    return Ed25519PrivateKey.generate()


def key_id(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """16 hex digits that name a key pair; equal for both halves, safe to log."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.blake2b(raw, digest_size=_KEY_ID_BYTES).hexdigest()


def save_private_key(key: Ed25519PrivateKey, path: Path) -> None:
    """Write PKCS#8 PEM, readable by the owner only (0600). An existing file is refused, not replaced."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists; move the old key away before a new one is written there") from error
    except OSError as error:
        raise ConfigError(f"cannot write the private key to {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def save_public_key(key: Ed25519PrivateKey | Ed25519PublicKey, path: Path) -> None:
    """Write the public half as SubjectPublicKeyInfo PEM."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key; raises `ConfigError` for a file that is absent, no Ed25519 key, or open to other users."""
    pem = _read(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by other users: run `chmod 600 {path}`")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is no unencrypted private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds a private key of another kind; directives are signed with Ed25519")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key; raises `ConfigError` for a file that is absent or no Ed25519 key."""
    pem = _read(path)
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is no public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} holds a public key of another kind; directives are signed with Ed25519")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the key {path}: {error.strerror}") from error


def _signature_bytes(text: str) -> bytes:
    """The 64 bytes; strict, so that one signature has one spelling."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if len(raw) != SIGNATURE_BYTES or base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise ValueError(f"a signature is {SIGNATURE_BYTES} bytes in base64url without padding")
    return raw
