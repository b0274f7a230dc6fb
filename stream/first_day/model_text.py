"""A proposal as a model file, with a comment wherever something was guessed."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator

from config.model_file import MISSING_IN_CSV
from learner.events.words import above, as_yaml
from stream.first_day.columns.column import Column
from stream.first_day.columns.kinds import Nature
from stream.first_day.proposal import Proposal

_WIDTH = 98
_NAME_MAX = 60
_VALUE_MAX, _STRING_MAX = 1e12, 1024  # `limits` by default
_MOSTLY = 0.5
_SHOWN_MIN = 0.0005

_MENDS = {
    "id": "`weir send --id` makes it the event's id, by which a second one is refused",
    "time": "as columns, an hour or a weekday can be learned from; in NDJSON it is the event's ts",
    "many": "shorten it, or encode it with preprocessing.FeatureHasher",
    "empty": "nothing is known of it",
    "dropped": "by --drop or --columns",
}
_UNREAD_MAX = 200  # columns that were not chosen: of more, those that stand first


def model_name(stem: str) -> str:
    """A model's name, made of a file's.

    >>> model_name("my data (1)"), model_name("_.csv")
    ('my-data-1', 'csv')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")
    return plain[:_NAME_MAX] or "model"


def model_text(proposal: Proposal, *, name: str, data: str, begun: str, output: str) -> str:
    """The model file.

    Args:
        name: The model's.
        data: The file, and the options that say how it is read, as they are typed.
        begun: The same of what made this, with what it was asked to leave out.
        output: What the model file is called.
    """
    look, aim = proposal.look, proposal.aim
    lines = [
        f"# Made of {look.extent} of a file, by:  weir init --from {begun}",
        "# What is guessed is yours to mend. The first rows try it, as they would be learned:",
        f"#   weir doctor --model {output} --data {data}",
        f"name: {as_yaml(name)}",
        "",
        *_comment(f"{_quoted(look.label.name)} has {aim.why}."),
        *(_comment(f"Beware: {aim.doubt}.") if aim.doubt else ()),
        f"task: {aim.task}",
    ]
    if aim.labels is not None:
        second = "  # the second is the positive one" if aim.task == "binary" else ""
        lines += [*_listed("labels: ", aim.labels, 2, more=second)]
    lines += ["", *_learner(proposal), "", *_features(proposal), "", *_rest(proposal)]
    return "".join(f"{_printable(line)}\n" for line in lines)


def _learner(proposal: Proposal) -> Iterator[str]:
    yield "learner:"
    yield "  river:"
    unread = proposal.look.unread[:_UNREAD_MAX]
    left_out = [*(name for name, _ in proposal.left_out), *unread]
    if left_out:
        kinds = dict.fromkeys(nature.kind for _, nature in proposal.left_out)
        kinds |= {"dropped": None} if unread else {}
        yield from _comment("Left out, whoever sends them, each for what it says below:", 4)
        yield from (f"    #   {kind}: {_MENDS[kind]}" for kind in kinds)
        yield from _listed("    - compose.Discard: ", left_out, 8)
    yield from _comment(
        "A linear model, which learns from the first events on: numbers are scaled, but for 0 and "
        "1; of texts each value is a feature. Where that is not enough, try "
        f"{proposal.tree} in its place.",
        4,
    )
    yield from _encoded(proposal)
    yield f"    - {proposal.learner}"


def _encoded(proposal: Proposal) -> Iterator[str]:
    """Numbers scaled, texts encoded, flags as they are; each branch names what it does not take."""
    encoder = "preprocessing.OneHotEncoder: {drop_zeros: true}"
    groups = {
        "preprocessing.StandardScaler": proposal.numbers,
        f"{{{encoder}}}": proposal.texts,
        "": proposal.flags,
    }
    used = {step: names for step, names in groups.items() if names}
    if len(used) == 1:
        (step,) = used
        yield from (f"    - {encoder if proposal.texts else step}",) if step else ()
        return
    yield "    - compose.TransformerUnion:"
    for step in used:
        others = [name for other, names in used.items() if other != step for name in names]
        yield from _listed(
            "        - [{compose.Discard: ", others, 12, more=f"}}, {step}]" if step else "}]"
        )


def _features(proposal: Proposal) -> Iterator[str]:
    yield from _comment("What each column is; an event in which one is of another type is refused.")
    yield from _comment("Whole numbers are float, too: many a program sends 2 as 2.0.")
    yield "features:"
    for column, nature in proposal.columns:
        if nature.type is None:
            yield f"  # {_quoted(column.name)}: {nature.why}"
            continue
        spec = _spec(column, nature)
        absent = proposal.look.rows - column.present + column.words.total() * bool(nature.words)
        facts = _facts(column, nature, absent / proposal.look.rows)
        for leak in proposal.leaks:
            if column.name in leak.columns:
                yield from _comment(f"Beware: {leak.told}. Is it known when the model is asked?", 2)
        yield f"  {_yaml(column.name)}: {spec}  # {facts}"


def _spec(column: Column, nature: Nature) -> str:
    kind = "float" if nature.type == "int" else nature.type
    bounds = ""
    if nature.type in ("int", "float"):
        low = above(column.least) if column.least < -_VALUE_MAX else None
        high = above(column.most) if column.most > _VALUE_MAX else None
        bounds = (f", min: -{low}" if low else "") + (f", max: {high}" if high else "")
    return f"{{type: {kind}{bounds}}}"


def _facts(column: Column, nature: Nature, absent: float) -> str:
    facts = [nature.why or _values(column, nature)]
    if nature.is_constant and nature.is_feature:
        facts.append("the same in every row: leave it out if it stays so")
    numbers = (column.kinds["int"] + column.kinds["float"]) / column.present
    if nature.type == "string" and column.text and numbers > _MOSTLY:
        facts.append(
            f"{_share(numbers)} numbers: say --null if {_quoted(column.text)} means absent"
        )
    if absent:
        facts.append(f"{_share(absent)} absent")
    return ", ".join(facts)


def _share(of_all: float) -> str:
    return f"{of_all:.1%}".replace("%", " %") if of_all >= _SHOWN_MIN else "under 0.1 %"


def _values(column: Column, nature: Nature) -> str:
    if nature.type == "bool":
        return "true or false"
    if nature.type != "string":
        whole = "" if nature.type == "float" else "whole, "
        return f"{whole}{column.least:g} to {column.most:g}"
    count = len(column.values)
    return f"{count} text{'s' * (count > 1)}, such as {_quoted(next(iter(column.values)))}"


def _rest(proposal: Proposal) -> Iterator[str]:
    yield from _comment("Texts that mean that nothing is there.")
    yield from _listed("missing: ", dict.fromkeys((*MISSING_IN_CSV, *proposal.missing)), 2)
    if limits := _limits(proposal):
        yield from ("", *_comment("Texts are longer, or labels larger, than is usual."))
        yield f"limits: {{{limits}}}"
    yield ""
    yield from _comment("Each is shown over the life and the last 1,000 events, beside what the "
                        "last label and the majority, or the mean, would have scored.")  # fmt: skip
    yield f"metrics: [{', '.join(proposal.metrics)}]"
    yield "drift:"
    yield "  - {on: error, detector: ADWIN}"


def _limits(proposal: Proposal) -> str:
    """What of the usual limits the file goes beyond; of features, each has a bound of its own."""
    longest = max(column.longest for column, _ in proposal.columns)
    label = proposal.look.label
    farthest = max(-label.least, label.most) if proposal.aim.task == "regression" else 0
    wanted = {
        "string": 2 * longest if longest > _STRING_MAX else None,
        "value": above(farthest) if farthest > _VALUE_MAX else None,
    }
    return ", ".join(f"{name}: {limit}" for name, limit in wanted.items() if limit)


def _listed(key: str, values: Iterable[object], indent: int, more: str = "") -> list[str]:
    """`key` with a list, which goes on in another line where one is full.

    >>> _listed("missing: ", ["", "NA"], 2)
    ['missing: ["", NA]']
    """
    lines, words = [f"{key}["], list(map(_yaml, values))
    for place, word in enumerate(words, 1):
        piece = f"{word}, " if place < len(words) else f"{word}]{more}"
        if len(lines[-1]) + len(piece.rstrip()) > _WIDTH and place > 1:
            lines[-1] = lines[-1].rstrip()
            lines.append(" " * indent)
        lines[-1] += piece
    return lines


def _yaml(value: object) -> str:
    """A name or a label as the model file may have it, whatever characters it has."""
    if not isinstance(value, str):
        return str(value)
    return as_yaml(value, longest=len(value)) if value.isprintable() else json.dumps(value)


def _printable(line: str) -> str:
    """The line without what YAML reads nowhere: only comments can have such characters here."""
    return "".join(each if each.isprintable() else "?" for each in line)


def _quoted(text: str) -> str:
    return f"`{text[:_NAME_MAX]}`"


def _comment(text: str, indent: int = 0) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{space}# ", subsequent_indent=f"{space}# ",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip
