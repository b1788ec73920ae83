"""The skeleton of a prompt: what is left of a template when its slots are masked.

Stateless, so it can only guess which words are the template's. It keeps
- the head: the first sentence or line, numbers and names masked, the middle dropped when it is long; only when it reads
  like an instruction or when nothing else identifies the text;
- the labels: the few words before each colon or equals sign, and bracketed tags, in order of first appearance, so that
  few-shot examples may repeat; what follows a label is a value and is dropped;
- the closing instruction, when one of the last words starts it ("Return JSON.").
Code blocks, addresses and quoted spans are slots.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator

from stillwatch_schemas.sketch.characters import UNSPACED_CHAR
from stillwatch_schemas.sketch.words import CLOSINGS, OPENERS, UNSPACED_CLOSINGS, UNSPACED_OPENERS

SLOT = "\x00"

_KEEP_ALL = 9
_KEEP_FIRST, _KEEP_LAST = 5, 4
_UNSPACED_KEEP_ALL, _UNSPACED_KEEP = 14, 6
_HEAD_CHARS = 400
_TAIL_WORDS, _TAIL_CHARS = 16, 160
_MAX_LABELS = 12
_MAX_MARKS = 40
_LABEL_CHARS, _LABEL_WORDS = 48, 7
_CLOSING_WORDS = 10

# No span may contain its own opening sign: a search stays linear however many unclosed ones a text holds.
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ADDRESS = re.compile(r"\b\w{2,8}://\S+")
# Patterns begin with a set, so that the search skips to it; then comes what must hold at the sign found.
_QUOTED = re.compile(
    r'["`“„«「『](?:(?<=")[^"\n]+"(?!\s?[:=])|(?<=`)[^`\n]+`|(?<=[“„])[^“”„\n]*[”“]'
    r"|(?<=«)[^«»\n]*»|(?<=「)[^「」\n]*」|(?<=『)[^『』\n]*』)"
)
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_MARK = re.compile(r"[:=\[<](?:(?<=[:=])|/?[^\W\d][^\[\]<>\n]{0,40}[\]>])")
_HEAD_END = re.compile(r"[\n|。.!?](?:(?<=[\n|。])|(?=\s)|(?<=[\u3040-\u9fff].))")
_UNSPACED_END = re.compile(r"[。!?;,\n]")
_EDGES = " \t\r\n\v\f.,;:!?()[]{}<>\"'`*#-\u2013\u2014=|_/\\。、“”„«»「」『』【】"


def skeleton(text: str) -> str:
    """The skeleton of a normalised (NFKC, case kept) text; equal for refilled slots, never empty unless the text is."""
    masked = _mask_spans(text)
    labels, first_label, last_mark = _labels(masked)
    head_end = _head_end(masked, first_label)
    closing = _closing(masked, max(head_end, last_mark))
    head = _head(masked[:head_end], identified=bool(closing) or len(labels) > 1, alone=head_end >= len(masked.rstrip()))
    return "\n".join((head, *labels, closing))


def _mask_spans(text: str) -> str:
    # a single sign is looked for much faster than several
    if "`" in text and "```" in text:
        text = _FENCE.sub(SLOT, text)
    if "/" in text and "://" in text:
        text = _ADDRESS.sub(SLOT, text)
    if text.isascii() and '"' not in text and "`" not in text:
        return text
    return _QUOTED.sub(SLOT, text)


def _labels(text: str) -> tuple[list[str], int, int]:
    """Distinct labels in order of appearance, where the first begins, and where the last one's value begins."""
    labels: dict[str, None] = {}
    first, begin, last = len(text), 0, 0
    for label, first_word, sign, end in _marks(text):
        if label:
            if not labels:
                first = text.rfind(first_word, begin, sign) if first_word else sign
            last = end
            labels[label] = None
            if len(labels) == _MAX_LABELS:
                break
        begin = end
    return list(labels), first, last


def _marks(text: str) -> Iterator[tuple[str, str, int, int]]:
    """The label at each of the first marks or "", its first word ("" for a tag), where the mark begins and ends."""
    end = 0
    if "=" in text or "<" in text or "[" in text:
        for mark in itertools.islice(_MARK.finditer(text), _MAX_MARKS):
            begin, (sign, end) = end, mark.span()
            yield *(_label_of(*_line(text[begin:sign])) if end - sign == 1 else (_tag(mark[0]), "")), sign, end
    else:
        for part in text.split(":", _MAX_MARKS)[:-1]:
            sign = end + len(part)
            end = sign + 1
            yield *_label_of(*_line(part)), sign, end


def _tag(tag: str) -> str:
    """A bracketed tag as a label, names in it masked: `[the end]`, `<document>`."""
    words = _DIGITS.sub("#", tag).split()
    return " ".join((words[0].casefold(), *map(_mask_word, words[1:])))


def _line(part: str) -> tuple[str, bool]:
    """The end of a part of a text that may be a label, and whether its line may have begun before."""
    line = part[-_LABEL_CHARS:]
    if "\n" not in line and "|" not in line:
        return line, True
    return line[max(line.rfind("\n"), line.rfind("|")) + 1 :], False


@functools.lru_cache(maxsize=4_096)
def _label_of(line: str, cut: bool) -> tuple[str, str]:
    """The label at the end of at most 48 characters and its first word; `cut`: the line may have begun before.

    Both by position, since keywords make the cache slow.
    """
    words = line.split()[-_LABEL_WORDS:]
    if not words:
        return "", ""
    if not line.isascii() and UNSPACED_CHAR.search(words[-1]):
        words = [_UNSPACED_END.split(words[-1])[-1][-_UNSPACED_KEEP:]]
    elif cut or len(words) == _LABEL_WORDS:
        words = _from_last_capitalised(words)
    label = _DIGITS.sub("#", " ".join(words)).casefold().strip(_EDGES)
    return ("", "") if not label or label == SLOT or label[-1] == "#" else (label, words[0])


def _from_last_capitalised(words: list[str]) -> list[str]:
    """The last words from a capitalised one on, else the last word."""
    for at in range(len(words) - 1, -1, -1):
        if words[at][0].isupper():
            return words[at:]
    return words[-1:]


def _head_end(text: str, first_label: int) -> int:
    """Where the first sentence or line ends; leading blank lines are skipped."""
    lead = len(text) - len(text.lstrip())
    end = _HEAD_END.search(text, lead, min(first_label, lead + _HEAD_CHARS))
    return end.start() if end else min(first_label, lead + _HEAD_CHARS)


def _head(text: str, *, identified: bool, alone: bool) -> str:
    """The masked head; one slot when it reads unlike an instruction and something else identifies the text."""
    words = text.split()
    if not words:
        return ""
    if identified and not alone and not _is_opener(words[0]):
        return SLOT
    first = words[0].casefold().strip(_EDGES)
    if len(words) > _KEEP_ALL:
        words = [*words[:_KEEP_FIRST], SLOT, *words[-_KEEP_LAST:]]
    kept = [word for word, _ in itertools.groupby([first, *map(_mask_word, words[1:])])]
    return _DIGITS.sub("#", " ".join(kept if text.isascii() else map(_shorten, kept)))


def _is_opener(word: str) -> bool:
    return word.casefold().strip(_EDGES) in OPENERS or (not word.isascii() and word.startswith(UNSPACED_OPENERS))


def _mask_word(word: str) -> str:
    """A slot for a name (Capitalised, not an ACRONYM), else the word itself, folded and without punctuation."""
    bare = word.strip(_EDGES)
    if bare.islower():
        return bare
    if SLOT in bare or (bare[:1].isupper() and not bare.isupper()):
        return SLOT
    return bare.casefold()


def _shorten(word: str) -> str:
    """Both ends of a long word: a clause, in scripts that put no spaces."""
    if len(word) <= _UNSPACED_KEEP_ALL or not UNSPACED_CHAR.search(word):
        return word
    return f"{word[:_UNSPACED_KEEP]}{SLOT}{word[-_UNSPACED_KEEP:]}"


def _closing(text: str, begin: int) -> str:
    """The closing instruction after the head, or ""."""
    tail = text[max(begin, len(text) - _TAIL_CHARS) :]
    words = tail.split()[-_TAIL_WORDS:]
    if not tail.isascii() and words and UNSPACED_CHAR.search(words[-1]):
        clauses = [clause for clause in _UNSPACED_END.split(words[-1]) if clause]
        return (
            _DIGITS.sub("#", clauses[-1][:_TAIL_WORDS]) if clauses and clauses[-1].startswith(UNSPACED_CLOSINGS) else ""
        )
    for at, word in enumerate(words):
        if word[0].isupper() and word.casefold().strip(_EDGES) in CLOSINGS:
            return _folded(words[at:])
    return ""


def _folded(closing: list[str]) -> str:
    return _DIGITS.sub("#", " ".join(closing[:_CLOSING_WORDS]).casefold()).rstrip(_EDGES)
