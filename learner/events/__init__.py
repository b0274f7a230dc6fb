"""From the bytes of a record to an example that may be learned, or to the reason why not.

In this order: `decode.py` (bytes to an event), `screen.py` (what the record alone tells), `gate.py`
(what was learned before decides, too). `labels.py` reads labels and writes answers. Begin with
`decode.py`.
"""
