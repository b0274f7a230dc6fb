"""Values put into the text of a YAML file, in the place of those that stood there.

All else stays, character by character: comments, order, layout. Each edit is read again; what does
not say what it should is no edit, and the caller has the whole written anew. Pure.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from config.text.yaml_lines import KeyPath, read_text
from stream.trying.value_paths import flow, put, resolved


def edited(base: str, settings: Mapping[str, Any]) -> str | None:
    """The text with these values in it; None where its layout does not let them be put in place.

    >>> edited("a:  # one\\n- 1\\nb: >-\\n  two\\n  lines\\n", {"a": [2], "b": "one"})
    'a:  # one\\n  [2]\\nb: one\\n'
    >>> edited("a: &x 1\\nb: *x\\n", {"a": 2}) is None
    True
    """
    text, content = base, read_text(base, file="").value
    for path, value in settings.items():
        keys = resolved(content, path)
        content = put(content, keys, value)
        text = _put(text, keys, value)
        if not says(text, content):
            return None
    return text


def says(text: str, content: Any) -> bool:
    """Whether this is the text of a model file of that content, value by value."""
    document = read_text(text, file="")
    return not document.problems and _are_same(document.value, content)


def _are_same(one: Any, other: Any) -> bool:
    """Equal in kind, too: 1, 1.0 and true are three values; in what order keys stand is free."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_are_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_are_same, one, other))
    return bool(one == other)


def dumped(content: Any) -> str:
    r"""The content as YAML, a line a key: nested ones on lines of their own, short values in one.

    >>> dumped({"name": "on", "learner": {"river": [{"a.B": {"c": 1e-9}}, "d.E"]}, "labels": []})
    'name: on\nlearner:\n  river:\n    - a.B: {c: 1e-9}\n    - d.E\nlabels: []\n'
    """
    return "".join(f"{line}\n" for line in _lines(content))


def _lines(content: Any) -> list[str]:
    """Without indentation; of what is empty or plain, one."""
    if isinstance(content, dict) and content:
        found = []
        for key, value in content.items():
            if _is_short(value):
                found.append(f"{flow(key)}: {flow(value)}")
            else:
                found += [f"{flow(key)}:", *(f"  {line}" for line in _lines(value))]
        return found
    if isinstance(content, list) and content:
        items = [_lines(each) for each in content]
        return [f"{'  ' if n else '- '}{line}" for lines in items for n, line in enumerate(lines)]
    return [flow(content)]


def _is_short(value: Any) -> bool:
    """Whether it fits on the line of its key: nothing nested twice."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not any(isinstance(each, dict | list) for each in inner)


def _put(text: str, keys: KeyPath, value: Any) -> str:
    """The text with a value at these keys, which lead somewhere in it."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for place, key in enumerate(keys):
        inner = _inside(node, key)
        if inner is None:
            return _added(text, node, keys[place:], value)
        node = inner
    return _spliced(text, node, flow(value))


def _inside(node: Any, key: str | int) -> Any:
    """What stands at a key of a node; None where nothing does."""
    if isinstance(node, yaml.SequenceNode):
        assert isinstance(key, int), "resolved keys fit"
        return node.value[key]
    if isinstance(node, yaml.MappingNode):
        return next((inner for name, inner in node.value if name.value == str(key)), None)
    return None


def _added(text: str, node: Any, keys: KeyPath, value: Any) -> str:
    """The text with keys that a node lacks: a component without arguments, or a new argument."""
    new = value
    for key in reversed(keys[1:]):
        new = {key: new}
    if isinstance(node, yaml.ScalarNode):
        return _spliced(text, node, flow({keys[0]: new}))
    entry = f"{flow(keys[0])}: {flow(new)}"
    begin = node.start_mark.index
    if node.flow_style:
        begin = text.index("{", begin) + 1  # behind its anchor
        comma = ", " if node.value else ""
        return f"{text[:begin]}{entry}{comma}{text[begin:]}"
    first = node.start_mark
    if text[begin] == "&":  # the mapping begins below its anchor
        first = node.value[0][0].start_mark
    return f"{text[: first.index]}{entry}\n{' ' * first.column}{text[first.index :]}"


def _spliced(text: str, node: Any, new: str) -> str:
    """The text with `new` in place of a node."""
    begin, end = node.start_mark.index, node.end_mark.index
    if begin == end:  # nothing stands behind the key
        return f"{text[:begin]} {new}{text[end:]}"
    if _is_block(node):  # it ends where the next thing begins
        end = begin + len(text[begin:end].rstrip())
    line_begin = text.rfind("\n", 0, begin) + 1
    # A list may begin at the very column of its key; what stands on one line may not.
    is_below = line_begin and not text[line_begin:begin].strip()
    deeper = "  " if is_below and isinstance(node, yaml.SequenceNode) else ""
    return f"{text[:begin]}{deeper}{new}{text[end:]}"


def _is_block(node: Any) -> bool:
    if isinstance(node, yaml.CollectionNode):
        return not node.flow_style
    return node.style in ("|", ">")
