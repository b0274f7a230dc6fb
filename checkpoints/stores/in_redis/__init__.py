"""The store in Redis or Valkey: a Lua script for each atomic change, plain commands for each read.

`lua/` has one script for each change, with the table of the keys in `lua/shared.lua`. `wire.py` is
where `hiredis` is imported. Begin with `store.py`, then `connection.py`.
"""
