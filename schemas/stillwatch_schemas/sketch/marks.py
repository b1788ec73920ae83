"""Marks of style: how a text opens, closes and speaks.

`lead` and `tail` are hashes of the first and last four tokens, numbers masked, which stay equal when a template's
slots are refilled; `opening` is the hash of the first token alone, which tells a fixed task word ("Translate"). `style`
holds three marks that tell a person who talks to the model from a task that is handed to it. Word lists of our own for
English, German, French, Spanish and Chinese.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import Final, NamedTuple

from stillwatch_schemas.sketch.hashing import HASH_BITS
from stillwatch_schemas.sketch.normalise import UNSPACED_CHAR
from stillwatch_schemas.sketch.words import words_of

OPENS_FORMALLY: Final = 1
"""Begins with a capital letter, or is written in a script that has none."""
FIRST_PERSON: Final = 2
"""Says I or we, in any of the languages listed."""
GREETS: Final = 4
"""Greets, thanks or pleads within the first four words."""

EDGE_TOKENS: Final = 4

_FIRST_PERSON = words_of(
    "i im ive id ill me my mine we us our ours "
    "ich mir mich mein meine meinen meinem meiner wir uns unser unsere "
    "je moi mon mes nous notre nos "
    "yo mí mi mis nosotros nuestro nuestra "
    "我 咱"
)
_GREETINGS = words_of(
    "hi hey hello thanks thank please pls plz lol ok okay hmm yo sorry "
    "hallo danke bitte moin bonjour salut merci svp hola gracias porfa favor 您好 谢谢"
)
_MASK: Final = (1 << HASH_BITS) - 1
# One for each place, so that order counts: the sum modulo a prime mixes four keyed hashes without a loop.
_MULTIPLIERS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
_PRIME: Final = (1 << 61) - 1
_NUMBER: Final = 0x2545F4914F6CDD1D


class Edges(NamedTuple):
    """Hashes of the beginning and the end of a text, 52 bits each."""

    opening: int = 0
    lead: int = 0
    tail: int = 0


def edge_hashes(tokens: Sequence[str], values: Sequence[int]) -> Edges:
    """0 throughout without tokens. `values` are the tokens' keyed hashes."""
    if not tokens:
        return Edges()
    return Edges(
        opening=_hash(tokens[:1], values[:1]),
        lead=_hash(tokens[:EDGE_TOKENS], values[:EDGE_TOKENS]),
        tail=_hash(tokens[-EDGE_TOKENS:], values[-EDGE_TOKENS:]),
    )


def _hash(tokens: Sequence[str], values: Sequence[int]) -> int:
    masked = [_NUMBER if token.isdigit() else value for token, value in zip(tokens, values, strict=True)]
    state = sum(map(mul, masked, _MULTIPLIERS), len(masked)) % _PRIME
    return (state & _MASK) or 1


def style_of(text: str, tokens: Sequence[str]) -> int:
    """The marks of a text (case kept) and its folded tokens, as a bit mask."""
    first = text.lstrip()[:1]
    caseless = first.isalpha() and first.lower() == first.upper()
    formal = first.isupper() or caseless or (not text.isascii() and UNSPACED_CHAR.search(text) is not None)
    speaks = not _FIRST_PERSON.isdisjoint(tokens)
    greets = not _GREETINGS.isdisjoint(tokens[:EDGE_TOKENS])
    return OPENS_FORMALLY * formal | FIRST_PERSON * speaks | GREETS * greets
