"""What all routes share: who may call, how bodies are read, how errors are told.

`guard.py` stands before every handler, `access.py` knows keys and scopes, `problem.py` is the one
place that knows HTTP statuses. Begin with `guard.py`.
"""
