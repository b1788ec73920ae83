"""Marks of style: how a text opens, closes and speaks.

`lead` and `tail` are hashes of the first and last four tokens, numbers masked, which stay equal when a template's
slots are refilled; `opening` is the hash of the first token alone, which tells a fixed task word ("Translate"). `style`
holds three marks that tell a person who talks to the model from a task that is handed to it. Word lists of our own for
English, German, French, Spanish and Chinese.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from operator import mul
from typing import Final

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


Edges = tuple[int, int, int]
"""Hashes of the first token, the first four and the last four, 52 bits each."""

_NO_EDGES: Final = (0, 0, 0)


def edge_hashes(tokens: list[str], values: list[int]) -> Edges:
    """0 throughout without tokens. `values` are the tokens' keyed hashes."""
    if not tokens:
        return _NO_EDGES
    head, tail = values[:EDGE_TOKENS], values[-EDGE_TOKENS:]
    if not "".join(tokens[:EDGE_TOKENS] + tokens[-EDGE_TOKENS:]).isalpha():
        head, tail = _masked(tokens[:EDGE_TOKENS], head), _masked(tokens[-EDGE_TOKENS:], tail)
    return (
        ((head[0] * _MULTIPLIERS[0] + 1) % _PRIME & _MASK) or 1,
        ((sum(map(mul, head, _MULTIPLIERS)) + len(head)) % _PRIME & _MASK) or 1,
        ((sum(map(mul, tail, _MULTIPLIERS)) + len(tail)) % _PRIME & _MASK) or 1,
    )


def _masked(tokens: list[str], values: list[int]) -> list[int]:
    """The values, one and the same for every number."""
    return [_NUMBER if token.isdigit() else value for token, value in zip(tokens, values, strict=True)]


class Style:
    """Finds the marks of style; words are looked for by their keyed hashes, which are at hand anyway."""

    def __init__(self, hash_of: Callable[[str], int]) -> None:
        self._first_person = frozenset(map(hash_of, _FIRST_PERSON))

    def __call__(self, text: str, tokens: Sequence[str], distinct: AbstractSet[int]) -> int:
        """The marks of a text (case kept), its folded tokens and their distinct hashes, as a bit mask."""
        first = text[:1]
        if first.isspace():
            first = text.lstrip()[:1]
        formal = first.isupper() or (not text.isascii() and _opens_without_case(first, text))
        speaks = not self._first_person.isdisjoint(distinct)
        greets = not _GREETINGS.isdisjoint(tokens[:EDGE_TOKENS])
        return OPENS_FORMALLY * formal | FIRST_PERSON * speaks | GREETS * greets


def _opens_without_case(first: str, text: str) -> bool:
    """Whether the first character is a letter of a script that has no capitals, or any stands in one without spaces."""
    return (first.isalpha() and first.lower() == first.upper()) or UNSPACED_CHAR.search(text) is not None
