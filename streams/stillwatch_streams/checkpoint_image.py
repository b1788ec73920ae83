"""The checkpoint log of one partition read back, in one pass and with no row held twice. Rules: `checkpoints`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
from stillwatch_schemas.errors import StateError

from stillwatch_streams.checkpoints import (
    CLAIM_KEY,
    DELETED,
    EPOCH,
    FORMAT,
    HEAD_BYTES,
    MARKER_PREFIX,
    ROW,
    TERM,
    CheckpointLog,
    LogRecord,
    Marker,
)

_KINDS = (ROW, DELETED)


class Recovery(msgspec.Struct, frozen=True):
    """What a checkpoint log says: the last complete checkpoint, and a log to go on writing."""

    rows: dict[bytes, bytes]
    marker: Marker | None
    """None where no checkpoint was ever completed."""
    log: CheckpointLog


def recover(records: Iterable[LogRecord], *, generation: int, where: str = "", discard: bool = False) -> Recovery:
    """Read a checkpoint log back; `discard` starts with empty state and clears the old one away.

    StateError for a log of another format or one that is damaged; `where` names the partition in the message.
    """
    image = LogImage(where)
    image.add(records)
    return image.recovery(generation=generation, discard=discard)


class LogImage:
    """The last value of each key of a log, as far as it was read: all that recovery needs to know.

    No version may be dropped before the log's end, for only the last marker tells which one counts: a zombie's later
    marker does not. So memory holds at most two versions of a row for each term whose garbage is still in the log.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._slots: defaultdict[bytes, dict[bytes, bytes]] = defaultdict(dict)
        self._markers: dict[bytes, bytes] = {}

    def add(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """The next records of the log, keys and values."""
        slots, markers = self._slots, self._markers
        for key, value in records:
            if key.startswith(MARKER_PREFIX):
                part, name = markers, key
            elif key == CLAIM_KEY:
                continue
            else:
                part, name = slots[key[:1]], key[1:]
            if value is None:
                part.pop(name, None)
            else:
                part[name] = value

    def recovery(self, *, generation: int, discard: bool = False) -> Recovery:
        """What the log says, now that it has been read to its end. Takes the image apart: call it once."""
        markers = [_marker(value, self._where) for value in self._markers.values()]
        top = max(markers, key=lambda marker: marker.epoch, default=None)
        choice = _Choice(top.cuts if top is not None and not discard else {}, self._where)
        for slot in sorted(self._slots):
            choice.consider(slot, self._slots.pop(slot))
        rows = choice.rows()
        term = max([choice.last_term, *(marker.term for marker in markers)]) + 1
        log = CheckpointLog(max(term, generation), generation=generation, cuts=choice.living, slots=choice.slots)
        log.leave_for_later([*choice.stale, *choice.deletions, *self._markers])
        return Recovery(rows, None if discard else top, log)


class _Choice:
    """Finds the committed version of each row: the highest epoch within its term's cut.

    Works on the packed epochs that values begin with: big-endian, so they are ordered as bytes.
    """

    def __init__(self, cuts: Mapping[int, int], where: str) -> None:
        self._cuts = {TERM.pack(term): TERM.pack(seq) for term, seq in cuts.items()}
        self._where = where
        self._best: dict[bytes, bytes] = {}
        self._last_term = TERM.pack(0)
        self.slots: dict[bytes, int] = {}
        """Where each row's committed version lies."""
        self.living: dict[int, int] = {}
        """Cuts that are still needed."""
        self.stale: list[bytes] = []
        """Keys of versions that do not count."""
        self.deletions: list[bytes] = []
        """Keys of committed deletions: they go last, else an older version would come back."""

    @property
    def last_term(self) -> int:
        """Highest term that anybody wrote in."""
        return int.from_bytes(self._last_term)

    def consider(self, slot: bytes, versions: dict[bytes, bytes]) -> None:
        """Every version in one slot; `versions` is emptied on the way, so that nothing is held twice."""
        best, slots = self._best, self.slots
        for key in list(versions):
            value = versions.pop(key)
            if not slot or len(value) <= EPOCH.size or value[EPOCH.size : HEAD_BYTES] not in _KINDS:
                raise _damaged(self._where, f"the row with key {(slot + key)[:40]!r} is not one of ours")
            rival = best.get(key)
            if not self._counts(value) or (rival is not None and rival[: EPOCH.size] > value[: EPOCH.size]):
                self.stale.append(slot + key)
                continue
            if rival is not None:
                self.stale.append(bytes((slots[key],)) + key)
            best[key], slots[key] = value, slot[0]

    def _counts(self, value: bytes) -> bool:
        """Whether the version lies within its term's cut."""
        term = value[: TERM.size]
        self._last_term = max(self._last_term, term)
        cut = self._cuts.get(term)
        return cut is not None and value[TERM.size : EPOCH.size] <= cut

    def rows(self) -> dict[bytes, bytes]:
        """The committed rows."""
        rows: dict[bytes, bytes] = {}
        best, terms = self._best, set[bytes]()
        for key in list(best):
            value = best.pop(key)
            terms.add(value[: TERM.size])
            if value[EPOCH.size : HEAD_BYTES] == ROW:
                rows[key] = value[HEAD_BYTES:]
            else:
                self.deletions.append(bytes((self.slots.pop(key),)) + key)
        self.living = {int.from_bytes(term): int.from_bytes(self._cuts[term]) for term in terms}
        return rows


def _marker(value: bytes, where: str) -> Marker:
    try:
        marker = msgspec.msgpack.decode(value, type=Marker)
    except msgspec.MsgspecError as error:
        raise _damaged(where, f"a marker can't be read ({error})") from error
    if marker.format != FORMAT:
        raise _damaged(where, f"it has format {marker.format}, this version reads {FORMAT}")
    return marker


def _damaged(where: str, what: str) -> StateError:
    return StateError(
        f"The checkpoint log {where} can't be trusted: {what}. Restore the topic, or start with empty state:"
        " stillwatch worker --reset-state."
    )
