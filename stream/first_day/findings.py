"""What a rehearsal found, as `weir doctor` tells it: each thing with the line that mends it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from checkpoints.records.manifest import BASELINES
from config.findings import Finding, error, fine, warning
from config.model.better import is_better
from config.model_file import MISSING_IN_CSV, ModelFile
from learner.events.words import as_yaml, is_usual_missing
from learner.values import Reason, Refusal
from stream.errors import CellError, SendError
from stream.first_day.columns.kinds import Nature, nature_of
from stream.first_day.rehearsal import Rehearsal
from stream.send.unlisted import discarded, unlisted

_COLUMNS_TOLD_MAX = 60
_KINDS_TOLD_MAX = 20
_LINES_TOLD_MAX = 3


def data_findings(model_file: ModelFile, done: Rehearsal) -> Iterator[Finding]:
    """Columns, then what would be refused, then the scores.

    Args:
        model_file: The one that it was rehearsed with.
    """
    yield from _columns(model_file, done)
    yield from _leaks(model_file, done)
    yield from _misfits(model_file, done)
    yield from _refusals(model_file, done)
    if done.ended:
        mend = f"mend the file, or the learner ({model_file.source.where('learner')})"
        yield error(done.source, _after(done.ended, done.source), mend, exit_code=2)
    yield _outcome(done)
    yield from _scores(model_file, done)


def data_body(done: Rehearsal) -> dict[str, Any]:
    """The same as numbers, for `--json`."""
    columns = [
        {"name": name, "type": nature_of(column).kind, "absent": done.absent(name),
         "sample": column.samples}
        for name, column in done.columns.items()
    ]  # fmt: skip
    refused = [
        {"line": line, "reason": refusal.reason, "detail": refusal.detail, "mend": refusal.mend}
        for line, refusal in done.refused
    ]
    misfits = [{"line": line, "detail": str(misfit)} for line, misfit in done.misfits]
    return {
        "file": done.source,
        "events": done.events,
        "learned": done.learned,
        "scored": done.scored,
        "waiting": done.waiting,
        "columns": columns,
        "leaks": [{"columns": list(leak.columns), "told": leak.told} for leak in done.leaks],
        "unsendable": misfits,
        "refused": refused,
        "metrics": {name: dict(score) for name, score in done.metrics.items()},
    }


def _columns(model_file: ModelFile, done: Rehearsal) -> Iterator[Finding]:
    others = frozenset(unlisted(model_file, done.columns))
    for name in islice(done.columns, _COLUMNS_TOLD_MAX):
        yield _column(model_file, name, done, is_listed=name not in others)
    more = len(done.columns) - _COLUMNS_TOLD_MAX
    if more > 0:
        yield fine(done.source, f"{more:,} more columns, which --json has")
    absent = [name for name in model_file.features or () if name not in done.columns]
    if absent and done.events:
        left_out = discarded(model_file.learner)
        parts = {
            "absent in all of these rows": [name for name in absent if name not in left_out],
            "absent in all of these rows, and left out by the model": [
                name for name in absent if name in left_out
            ],
        }
        for what, names in parts.items():
            if names:
                yield fine(done.source, f"{what}: {', '.join(names[:_COLUMNS_TOLD_MAX])}")


def _column(model_file: ModelFile, name: str, done: Rehearsal, *, is_listed: bool) -> Finding:
    column, absent = done.columns[name], done.absent(name)
    spec = (model_file.features or {}).get(name)
    nature = nature_of(column)
    told_as = spec.type if spec else f"{nature.type}, by its values"
    share = f"{absent:.1%} absent".replace("%", " %") if absent else "never absent"
    what = f"{told_as}, {share}, such as {', '.join(column.samples)}"
    about = f"{done.source} {name}"
    if name in discarded(model_file.learner):
        return fine(about, f"{what}: left out by the model")
    if spec is None and column.kinds["string"] and nature.type != "string":
        type_of_it = f"features: {{{as_yaml(name)}: {{type: {nature.type}}}}}"
        mend = f"{type_of_it} and {_missing(model_file, nature.words)}"
        return warning(about, f"{what}: numbers, and texts that mean absent", mend)
    if not is_listed:
        mend = (
            f"list it ({model_file.source.where('features')}), or leave it out: "
            f"- compose.Discard: [{as_yaml(name)}]  as the first step of the pipeline"
        )
        return warning(about, f"{what}: `features:` does not list it, it is learned", mend)
    return fine(about, f"{what}{_odd(nature)}")


def _leaks(model_file: ModelFile, done: Rehearsal) -> Iterator[Finding]:
    """Features that tell the label by themselves and are learned from."""
    left_out = discarded(model_file.learner)
    for leak in done.leaks:
        if left_out.isdisjoint(leak.columns):
            names = ", ".join(leak.columns)
            mend = (
                "is it known before the label? If not, leave it out: "
                f"- compose.Discard: [{', '.join(map(as_yaml, leak.columns))}]  as the first step"
            )
            yield warning(f"{done.source} {names}", leak.told, mend)


def _odd(nature: Nature) -> str:
    if not nature.is_feature:
        return f" ({nature.why})"
    return " (the same in every row)" if nature.is_constant else ""


def _misfits(model_file: ModelFile, done: Rehearsal) -> Iterator[Finding]:
    """Rows at which `weir send` would stop, a finding for each column that has some."""
    groups: dict[str, list[tuple[int, SendError]]] = {}
    for line, misfit in done.misfits:
        key = misfit.column if isinstance(misfit, CellError) else ""
        groups.setdefault(key, []).append((line, misfit))
    for column, found in islice(groups.items(), _KINDS_TOLD_MAX):
        line, first = found[0]
        count = f"{_rows(len(found))} cannot be sent ({_lines(line for line, _ in found)})"
        what = f"{count}: {_after(str(first), done.source, line)}"
        yield error(f"{done.source}:{line}", what, _mend(model_file, column, first), exit_code=2)


def _mend(model_file: ModelFile, column: str, misfit: SendError) -> str:
    if not isinstance(misfit, CellError):
        return "mend the row, or take it out"
    if is_usual_missing(misfit.text):
        return f"{model_file.source.where('missing')}: {_missing(model_file, [misfit.text])}"
    where = model_file.source.where(f"features.{column}")
    return f"{where}: features: {{{as_yaml(column)}: {{type: string}}}}, or mend the cell"


def _missing(model_file: ModelFile, words: Iterable[str]) -> str:
    """The section with these words besides; a list of one's own stands in place of the usual."""
    listed = MISSING_IN_CSV if model_file.missing is None else model_file.missing
    texts = dict.fromkeys((*listed, *(word.strip() for word in words)))
    return f"missing: [{', '.join(map(as_yaml, texts))}]"


def _refusals(model_file: ModelFile, done: Rehearsal) -> Iterator[Finding]:
    """What the gate or the learner would refuse, a finding for each kind of it."""
    groups: dict[tuple[str, str], list[tuple[int, Refusal]]] = {}
    for line, refusal in done.refused:
        key = refusal.mend or refusal.detail.partition(" is ")[0]
        groups.setdefault((refusal.reason, key), []).append((line, refusal))
    most = sorted(groups.items(), key=lambda each: -len(each[1]))
    for (reason, _), found in most[:_KINDS_TOLD_MAX]:
        line, first = found[0]
        count = f"{_rows(len(found))} would be refused as {reason}"
        what = f"{count} ({_lines(line for line, _ in found)}): {first.detail}"
        yield warning(f"{done.source}:{line}", what, _line_of(model_file, first))
    if len(most) > _KINDS_TOLD_MAX:
        yield fine(done.source, f"{len(most) - _KINDS_TOLD_MAX} more kinds, which --json has")


def _line_of(model_file: ModelFile, refusal: Refusal) -> str:
    """Which line of the model file to change, and to what."""
    source = model_file.source
    if refusal.reason is Reason.learn_error:
        return f"{source.where('learner')}: another step, or leave the column out with --columns"
    named = [n for n in model_file.features or () if refusal.detail.startswith(f"feature {n!r} ")]
    section = _SECTIONS.get(refusal.reason, "")
    key = f"features.{named[0]}" if named else refusal.mend.partition(":")[0] or section
    if refusal.mend:
        return f"{source.where(key)}: {refusal.mend}"
    return f"{source.where(key)}: {key}, or mend the row" if key else "mend the row"


_SECTIONS: Mapping[Reason, str] = {
    Reason.bad_label: "labels",
    Reason.too_many_labels: "limits",
    Reason.too_many_features: "limits",
    Reason.too_large: "limits",
    Reason.out_of_bounds: "features",
    Reason.wrong_type: "features",
    Reason.unknown_field: "features",
    Reason.weight_unsupported: "learner",
}


def _outcome(done: Rehearsal) -> Finding:
    lost = len(done.refused) + len(done.misfits)
    what = f"of the first {_rows(done.events + len(done.misfits))}, {done.learned:,} learned"
    told = [f"{done.scored:,} scored", f"{lost:,} lost"]
    told += [f"{done.waiting:,} wait for a label"] if done.waiting else []
    what = f"{what}, {', '.join(told)}"
    if done.learned:
        return fine(done.source, what)
    mend = "name the label's column with --label" if done.waiting else "mend what stands above"
    return error(done.source, what, mend, exit_code=2)


def _scores(model_file: ModelFile, done: Rehearsal) -> Iterator[Finding]:
    about = f"model {model_file.name}"
    for name, score in done.metrics.items():
        value = score.get("lifetime")
        if value is not None:
            yield fine(about, f"{name} {value:.4g} so far{_beside(name, value, score)}")


def _beside(name: str, value: float, score: Mapping[str, float | None]) -> str:
    """What the score's baselines have, and which of them is better than the model."""
    known = {key: other for key in BASELINES if (other := score.get(key)) is not None}
    if not known:
        return ""
    better = [key for key, other in known.items() if is_better(name, other, value)]
    told = ", ".join(f"{key} {other:.4g}" for key, other in known.items())
    return f" ({told})" + (f": {' and '.join(better)} would do better" if better else "")


def _after(text: str, source: str, line: int | None = None) -> str:
    """The text without the place that the finding names already."""
    place = source if line is None else f"{source}:{line}"
    return text.removeprefix(f"{place}: ")


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _lines(numbers: Iterable[int]) -> str:
    listed = list(numbers)
    shown = ", ".join(map(str, listed[:_LINES_TOLD_MAX]))
    more = len(listed) - _LINES_TOLD_MAX
    return f"line{'s' * (len(listed) > 1)} {shown}" + (f" and {more:,} more" if more > 0 else "")
