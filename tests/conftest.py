"""Fixtures of the whole suite."""

pytest_plugins = ["tests.harness.fixtures", "tests.harness.servers", "realtime.testing.fixtures"]
