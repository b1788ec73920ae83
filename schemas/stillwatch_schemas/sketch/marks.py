"""Marks of style: three that tell a person who talks to the model from a task that is handed to it.

Word lists of our own for English, German, French, Spanish and Chinese.
"""

from __future__ import annotations

from typing import Final

from stillwatch_schemas.sketch.characters import UNSPACED_CHAR
from stillwatch_schemas.sketch.words import words_of

OPENS_FORMALLY: Final = 1
"""Begins with a capital letter, or is written in a script that has none."""
FIRST_PERSON: Final = 2
"""Says I or we, in any of the languages listed."""
GREETS: Final = 4
"""Greets, thanks or pleads within the first four words."""

GREETING_TOKENS: Final = 4
"""Among so many first ones a greeting is looked for."""

_FIRST_PERSON: Final = words_of(
    "i im ive id ill me my mine we us our ours "
    "ich mir mich mein meine meinen meinem meiner wir uns unser unsere "
    "je moi mon mes nous notre nos "
    "yo mí mi mis nosotros nuestro nuestra "
    "我 咱"
)
_GREETINGS: Final = words_of(
    "hi hey hello thanks thank please pls plz lol ok okay hmm yo sorry "
    "hallo danke bitte moin bonjour salut merci svp hola gracias porfa favor 您好 谢谢"
)


def mark_bits(token: str) -> int:
    """FIRST_PERSON and GREETS of a token, as a bit mask."""
    return FIRST_PERSON * (token in _FIRST_PERSON) | GREETS * (token in _GREETINGS)


def marks_of(tokens: list[str]) -> int:
    """FIRST_PERSON and GREETS of a text's tokens, as a bit mask."""
    greets = not _GREETINGS.isdisjoint(tokens[:GREETING_TOKENS])
    return FIRST_PERSON * (not _FIRST_PERSON.isdisjoint(tokens)) | GREETS * greets


def style_of(text: str, of_tokens: int) -> int:
    """The marks of a text (case kept) as a bit mask; `of_tokens` are FIRST_PERSON and GREETS."""
    first = text[:1]
    if first.isspace():
        first = text.lstrip()[:1]
    formal = first.isupper() or (not text.isascii() and _opens_without_case(first, text))
    return OPENS_FORMALLY * formal | of_tokens


def _opens_without_case(first: str, text: str) -> bool:
    """Whether the first character is a letter of a script that has no capitals, or any stands in one without spaces."""
    return (first.isalpha() and first.lower() == first.upper()) or UNSPACED_CHAR.search(text) is not None
