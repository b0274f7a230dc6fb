"""Where versions are kept: one contract, in Redis and in memory.

`contract.py` says what any store must do; `lua/` has one script for each atomic change, with the
table of its keys in `shared.lua`. Only here is `redis` imported. Begin with `contract.py`.
"""
