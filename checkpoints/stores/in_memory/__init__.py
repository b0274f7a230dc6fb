"""The store in memory, for tests and simulations: no file, no socket, a clock that is handed in.

It keeps the whole contract. Begin with `store.py`.
"""
