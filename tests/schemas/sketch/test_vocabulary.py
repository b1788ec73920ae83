"""A word is found where it was put, is taken for no other, and the table never grows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.compiled import compiled
from stillwatch_schemas.sketch.vocabulary import MOST_WORDS, Bytes, Places, Vocabulary, Words, look_up

# Prefixes of one another, and several scripts.
WORDS = st.one_of(
    st.sampled_from(["abcdefghijklmnopqrstuvwxyz"[:length] for length in range(1, 27)]),
    st.text("abÿé中\ud800", min_size=1, max_size=9),
)
VOCABULARY = Vocabulary(2**64 - 59)


@compiled
def _look_up(
    data: Bytes, words: Words, spellings: Bytes, secret: object, found: tuple[Places, Places, Places]
) -> object:
    return look_up(data, words, spellings, secret, found[0], found[1], found[2])


def values_of(vocabulary: Vocabulary, texts: list[list[str]]) -> tuple[list[list[int]], list[str]]:
    """The values of all tokens text by text, and the tokens that are not known."""
    spelled = [" ".join(words).encode("utf-8", "surrogatepass") for words in texts]
    data = b"".join(text + b"\xff" for text in spelled)
    found = np.empty(len(data), np.int32), np.empty((len(texts), 2), np.int32), np.empty((len(data), 2), np.int32)
    codes = np.frombuffer(data, np.uint8)
    missing, count = _look_up(codes, vocabulary.words, vocabulary.spellings, vocabulary.secret, found)  # type: ignore[misc] - two numbers
    assert count == len(texts)
    ends = found[1][:, 0].tolist()
    values = vocabulary.words["value"][found[0][: ends[-1]]].tolist()
    unknown = [data[start:stop].decode("utf-8", "surrogatepass") for start, stop in found[2][:missing].tolist()]
    return [values[start:stop] for start, stop in zip([0, *ends], ends, strict=False)], unknown


def learn(vocabulary: Vocabulary, words: dict[str, int]) -> None:
    spellings = [word.encode("utf-8", "surrogatepass") for word in words]
    vocabulary.learn(spellings, list(words.values()), [0] * len(words))


@given(st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=6))
def test_each_word_has_its_own_value(texts: list[list[str]]) -> None:
    numbers = {word: number for number, word in enumerate({word for text in texts for word in text}, start=1)}
    vocabulary = Vocabulary(len(texts))
    _, unknown = values_of(vocabulary, texts)
    assert unknown == [word for text in texts for word in text]
    learn(vocabulary, numbers)
    assert values_of(vocabulary, texts) == ([[numbers[word] for word in text] for text in texts], [])


def test_when_the_table_is_full_all_words_are_forgotten() -> None:
    learn(VOCABULARY, {f"w{number}": number for number in range(MOST_WORDS)})
    size = VOCABULARY.words.nbytes + VOCABULARY.spellings.nbytes
    assert values_of(VOCABULARY, [["w0", f"w{MOST_WORDS - 1}"]]) == ([[0, MOST_WORDS - 1]], [])
    learn(VOCABULARY, {"another": 7})
    assert values_of(VOCABULARY, [["another"]]) == ([[7]], [])
    assert values_of(VOCABULARY, [["w0", "another"]])[1] == ["w0"]
    assert VOCABULARY.words.nbytes + VOCABULARY.spellings.nbytes == size <= 2**22


def test_long_spellings_fill_the_table_too() -> None:
    vocabulary = Vocabulary(1)
    for number in range(60):
        learn(vocabulary, {f"{number:020000}": number})
    assert values_of(vocabulary, [[f"{59:020000}"]]) == ([[59]], [])
    assert values_of(vocabulary, [[f"{0:020000}"]])[1]
