"""Kills what can be killed while people write and listen, then compares with the log.

`writer` writes, each in a process of its own; `subscribers` listen over `websocket`;
`tormentor` kills; `ledger` judges; `run` puts them together. `crowd` is fifty writers at once.
"""
