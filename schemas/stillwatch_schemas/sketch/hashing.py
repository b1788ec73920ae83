"""Keyed hashes: without the deployment's key nobody can test a guess against a sketch.

All come from BLAKE2b under sub-keys of one secret. Tokens are hashed once and remembered (bounded); their values are
mixed by multiplication where pairs are needed, so that the cost of a text is one dictionary look-up a token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.sketch.characters import UNSPACED_CHAR
from stillwatch_schemas.sketch.words import FUNCTION_WORDS, INSTRUCTION_WORDS

MIN_KEY_BYTES = 16
"""A shorter key could be guessed by trying."""

HASH_BITS = 52
"""Width of the hashes in a sketch: every JSON reader keeps integers of 53 bits exactly."""

TOKEN_BITS = 60
"""Width of a token's hash; the four bits above hold its rank."""

FUNCTION, PLAIN, CONTENT = 0, 1, 2
"""Ranks: function word or number; single character or unreadable run; content words from here on, by length."""

_MAX_RANK = 15
_REMEMBERED = 65_536
_REMEMBERED_CHARS = 32
_LONGEST_WORD = 30


def subkey(key: bytes, purpose: bytes) -> bytes:
    """A key of 32 bytes for one purpose (up to 16 bytes of name)."""
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"The sketch key has {len(key)} bytes; it needs at least {MIN_KEY_BYTES}. "
            "Make one with `openssl rand -hex 32` and give the same to every emitter and worker."
        )
    return hashlib.blake2b(hashlib.sha256(key).digest(), digest_size=32, person=purpose).digest()


class TextHash:
    """Keyed hash of whole texts for one purpose."""

    def __init__(self, key: bytes, purpose: bytes) -> None:
        self._keyed = hashlib.blake2b(digest_size=8, key=subkey(key, purpose))

    def __call__(self, data: bytes) -> int:
        """52 bits."""
        return self.whole(data) >> (64 - HASH_BITS)

    def whole(self, data: bytes) -> int:
        """64 bits."""
        state = self._keyed.copy()  # cheaper than to begin with the key each time
        state.update(data)
        return int.from_bytes(state.digest())


class TokenHash:
    """Keyed hash of a token, its rank in the four bits above."""

    def __init__(self, key: bytes) -> None:
        self._hash = TextHash(key, b"token")

    def __call__(self, token: str) -> int:
        """64 bits."""
        data = token.encode("utf-8", "surrogatepass")
        return rank(token) << TOKEN_BITS | self._hash.whole(data) >> (64 - TOKEN_BITS)


class TokenHashes(dict[str, bytes]):
    """The hashes of tokens in 8 bytes each, little-endian: joined, those of a text are an array for NumPy.

    Forgets everything when full, which changes the cost and never a value.
    """

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._hash = TokenHash(key)

    def joined(self, tokens: Iterable[str]) -> bytes:
        """The values of tokens, for `np.frombuffer`."""
        return b"".join(map(self.__getitem__, tokens))

    def __missing__(self, token: str) -> bytes:
        value = self._hash(token).to_bytes(8, "little")
        if len(token) <= _REMEMBERED_CHARS:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[token] = value
        return value


def rank(token: str) -> int:
    """How much a token tells of the topic, 0 to 15, without a corpus: its length stands for its rarity."""
    if token in FUNCTION_WORDS or token in INSTRUCTION_WORDS or token.isdigit():
        return FUNCTION
    if len(token) <= CONTENT or len(token) > _LONGEST_WORD or UNSPACED_CHAR.match(token):
        return PLAIN
    return min(len(token) - 1, _MAX_RANK)
