"""`weir send`: files and River's own streams to a model's events topic.

`readers.py` makes records of rows, `resume.py` finds out what is in the topic already. Begin with
`send.py`.
"""
