"""Versions that leave the store in a file, and come into another.

`container.py` is what stands in such a file, byte by byte; `believed.py` whose files are believed;
`importer.py` the numbered steps by which one becomes the head of a line; `cli.py` the commands.
Begin with `container.py`.
"""
