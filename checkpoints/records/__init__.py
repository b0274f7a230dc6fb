"""The signed values: what a version says of itself, and what operators have ordered.

Pure: no store, no clock. `signing.py` seals and opens, `manifest.py` is a version, `control.py` an
order, `segments.py` what a version keeps, `lineage.py` the arithmetic of where a state came from,
`publish_gate.py` that of which versions are held back. Begin with `manifest.py`.
"""
