"""The sections of a model file: what each key may say, and what it says where it is absent.

May import `config`. Each section is a class with its keys; `config/model_file.py` puts them
together and checks what two of them say of each other. `of_sections.py` makes one again of what a
version kept of it. Begin with `parts.py`.
"""
