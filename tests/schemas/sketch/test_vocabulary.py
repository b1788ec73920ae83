"""Tokens looked up by NumPy are what a dictionary would give, whatever has passed through the tables before."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stillwatch_schemas.sketch.hashing import TokenHashes
from stillwatch_schemas.sketch.vocabulary import VALUE, Vocabulary

HASHES = TokenHashes(b"a key for tests, nothing more")
VOCABULARY = Vocabulary(HASHES, len)
# Prefixes of one another around the lengths at which a key's first part, and the table, end; and several scripts.
WORDS = st.one_of(
    st.sampled_from(["abcdefghijklmnopqrstuvwxyz"[:length] for length in range(1, 27)]),
    st.text("abÿé中\ud800", min_size=1, max_size=9),
)
TEXTS = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=6)


@given(TEXTS)
def test_tokens_equal_what_a_dictionary_gives(texts: list[list[str]]) -> None:
    tokens = VOCABULARY.tokens([" ".join(words).encode("utf-8", "surrogatepass") for words in texts])
    words = [word for text in texts for word in text]
    assert tokens.values.tolist() == np.frombuffer(HASHES.joined(words), dtype=VALUE).tolist()
    assert tokens.traits.tolist() == list(map(len, words))
    assert tokens.counts == list(map(len, texts))
    spans = list(zip(tokens.starts.tolist(), tokens.stops.tolist(), strict=True))
    assert [words[start:stop] for start, stop in spans] == list(filter(None, texts))
    assert tokens.owners.tolist() == [owner for owner, (start, stop) in enumerate(spans) for _ in range(start, stop)]


def test_more_words_than_the_tables_have_places_change_no_value() -> None:
    """Each word is looked up, displaced by others, and looked up again."""
    texts = [" ".join(f"w{number}" for number in range(start, start + 4_000)) for start in range(0, 100_000, 4_000)]
    first = [VOCABULARY.tokens([text.encode()]).values.tolist() for text in texts]
    again = [VOCABULARY.tokens([text.encode()]).values.tolist() for text in texts]
    assert first == again
    assert len({value for values in first for value in values}) == 100_000


def test_the_tables_do_not_grow() -> None:
    size = VOCABULARY._tables.nbytes
    VOCABULARY.tokens([b"one two " + b"w" * 40])
    assert VOCABULARY._tables.nbytes == size <= 2**21
