"""The main process's side of a member."""

from __future__ import annotations

import pytest
from stillwatch_schemas.errors import StillwatchError
from stillwatch_streams.replay.crew import colleague
from stillwatch_streams.replay.crew.messages import Assignment
from support.dying import die_while_serving
from support.traffic import small_config


def test_one_that_dies_in_the_middle_of_its_answer_is_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colleague, "serve", die_while_serving)
    member = colleague.Colleague(Assignment(config=small_config(), partitions=1, mine=(0,), sketch_key=None))
    member.start()
    with pytest.raises(StillwatchError, match="partition 0 failed: it ended with exit code 9"):
        member.made()
    member.end(at_once=True)
