"""`docs/simulator.md` names every key, scenario, archetype, family, pool and client, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from stillwatch_streams.simulator import catalogue, parse_scenario, profile, scenario, shipped

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
STRUCTS = [
    struct
    for module in (profile, scenario)
    for struct in vars(module).values()
    if isinstance(struct, type) and issubclass(struct, profile.Strict) and struct is not profile.Strict
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: str(struct.__name__))
def test_every_key_is_documented(struct: type[msgspec.Struct]) -> None:
    tables = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    code = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", tables))))
    assert not set(struct.__struct_encode_fields__) - code


def test_every_name_is_documented() -> None:
    names = [*shipped(), *catalogue.archetypes(), *catalogue.families(), *catalogue.networks(), *catalogue.clients()]
    assert not [name for name in names if f"`{name}`" not in PAGE]


def test_the_example_scenario_is_valid() -> None:
    found = re.search(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found is not None
    assert parse_scenario(found[1], where="example").name == "my-week"


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert found is not None
    exec(found[1], {})  # noqa: S102 # our own documentation's code is what is tested
    assert len(capsys.readouterr().out.splitlines()) >= 10
