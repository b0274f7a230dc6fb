"""The OpenAPI document: what FastAPI does not read off a handler's signature.

`document.py` puts it together, `answers.py` and `questions.py` are the shapes of bodies. Begin with
`document.py`.
"""
