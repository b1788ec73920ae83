"""docs/configuration.md is what the settings say."""

from __future__ import annotations

from stillwatch_streams import settings_table
from stillwatch_streams.settings import Settings


def test_the_page_has_not_drifted() -> None:
    assert settings_table.main(["--check"]) == 0


def test_every_setting_stands_on_the_page_with_a_meaning() -> None:
    page = settings_table.page()
    for section in Settings.__struct_fields__:
        for name in getattr(Settings(), section).__struct_fields__:
            assert f"| `{name}` |" in page or f"## `[{section}.{name}]`" in page
    assert "|  |" not in page


def test_the_values_to_choose_from_stand_beside_the_meaning() -> None:
    page = settings_table.page()
    assert "Allowed: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`. |" in page
    assert "Allowed: `account`, `group`, `campaign`, `policy`, `feedback`. |" in page


def test_secrets_have_no_value_on_the_page() -> None:
    assert "| `sasl_password` | empty, secret |" in settings_table.page()
