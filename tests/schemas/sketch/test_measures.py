"""Script and code share."""

from __future__ import annotations

import pytest
from stillwatch_schemas.sketch.measures import (
    ARABIC,
    CYRILLIC,
    HAN,
    KANA_OR_HANGUL,
    LATIN,
    OTHER,
    code_share,
    script_of,
)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("plain words", LATIN),
        ("Žluťoučký kůň", LATIN),
        ("12345 !?", LATIN),
        ("解释一下 GPT", HAN),
        ("これは日本語の文章です", KANA_OR_HANGUL),
        ("한국어 문장", KANA_OR_HANGUL),
        ("Привет, мир", CYRILLIC),
        ("مرحبا بالعالم", ARABIC),
        ("ภาษาไทย", OTHER),
        ("\u03bb\u03cc\u03b3\u03bf\u03c2", OTHER),
        ("😀\ud800", LATIN),
    ],
)
def test_script(text: str, script: int) -> None:
    assert script_of(text) == script


def test_prose_is_not_code_and_code_is() -> None:
    prose = "The ferry leaves at nine; bring a coat, a book and something to eat (it takes long)."
    program = "def area(r):\n    x = [r, r]\n    return {'a': x[0] * x[1]}\n"
    assert code_share(prose) < 0.2
    assert code_share(program) > 0.8
    assert code_share(f"{prose}\n```\n{prose}\n```") == pytest.approx(0.5, abs=0.05)
    assert code_share("") == 0
