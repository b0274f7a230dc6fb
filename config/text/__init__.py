"""What users write, read with care: YAML with the line of every key, and words for mistakes.

`yaml_lines.py` reads the files, `variables.py` the environment, `sections.py` what both give of the
settings, `values.py` each value; `messages.py` says what pydantic finds in a model file,
`nearest.py` what was probably meant. Begin with `yaml_lines.py`.
"""
