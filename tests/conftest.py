"""Fixtures for every test; brokers come from `support.brokers`."""

from __future__ import annotations

pytest_plugins = ["support.brokers"]
