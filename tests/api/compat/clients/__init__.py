"""Programs that ask a running Weir by other servers' clients, each in an environment of its own.

`make compat` makes the environments and runs them; they import nothing of Weir but `calls.py`.
"""
