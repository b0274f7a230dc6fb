"""Where versions are kept: three contracts, kept in Redis and in memory.

`records.py` (what is written once), `heads.py` (what points to it, and how that moves) and
`presence.py` (who is alive) say what a store must do, `contract.py` is all three as one store, and
`in_redis/` and `in_memory/` keep it. Begin with `contract.py`.
"""
