"""What users write, read with care, and what is written for them.

`yaml_lines.py` reads the files, `variables.py` the environment, `sections.py` what both give of the
settings, `values.py` each value; `messages.py` says what pydantic finds in a model file,
`nearest.py` what was probably meant, `extras.py` what to type where an extra is missing. `plot.py`
draws series of numbers, as text. Begin with `yaml_lines.py`.
"""
