"""Run one attack until it is killed: `python -m benchmarks.attacks NAME`, its target on stdin."""

import asyncio
import json
import sys

from benchmarks import machine
from benchmarks.attacks.catalogue import ATTACKS
from benchmarks.attacks.wire import Target

machine.allow_connections()
asyncio.run(ATTACKS[sys.argv[1]](Target(**json.load(sys.stdin))))
