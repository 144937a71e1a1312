"""What Uvicorn's log tells of requests."""

import logging
from copy import deepcopy
from typing import Any


class WithoutQueryStrings(logging.Filter):
    """Cuts the query off addresses: it may hold operations, their variables, and tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) and arg.startswith("/") else arg
                for arg in record.args
            )
        return True


def without_query_strings(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of logging, as a dictionary, whose handlers all have the filter."""
    config = deepcopy(config)
    # By name, since Uvicorn's workers get it before there is a Django.
    config["filters"] = {"path": {"()": f"{__name__}.{WithoutQueryStrings.__name__}"}}
    for handler in config["handlers"].values():
        handler["filters"] = ["path"]
    return config
