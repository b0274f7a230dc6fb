"""Versions: what one is, where it is kept, how it is read, and how operators bring one back.

`records/` are the signed values, `stores/` keep them, `reading/` verifies them, `operating/` is
what operators order, `keeping/` drops old ones. `opening.py` opens store and keys by the settings,
`unpickle.py` is the only way from bytes to a model, `compatibility.py` says which changes a line
outlives, `doctor.py` looks before it is needed. May import `config` alone. Begin with
`records/manifest.py`, then `stores/contract.py`.
"""
