"""What the columns of a file are, one at a time or together; pure, and read by `weir init` and
`weir doctor --data` alone.

`column.py` gathers a column's values, `kinds.py` says what kind it is of, `label.py` what the label
asks for; `spread.py` keeps a sample of rows, in which `leaks.py` finds columns that tell the label
by themselves. Begin with `column.py`.
"""
