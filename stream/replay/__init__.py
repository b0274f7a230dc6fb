"""Taking records again, in the order in which they were taken: for a rewind, and to rebuild.

`in_order.py` puts what is read from several partitions into that order, `left_out.py` knows what a
rewind leaves out, `log_check.py` whether the log still has it all. In which order that was is
known to `checkpoints/reading/lineages.py`. `rebuild.py` makes a version again and compares. Begin
with `in_order.py`.
"""
