"""The dashboard: a page at `/ui`, and what it asks for that nobody else had asked for.

`files.py` serves the page, which is in `api/static/`; `history.py`, `letters.py` and `features.py`
answer it. All else it has from the routes that programs use. Begin with `files.py`, then
`api/static/main.js`.
"""
