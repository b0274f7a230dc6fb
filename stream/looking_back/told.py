"""What was found, for people: the same as the JSON, in lines."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_LABELS_SHOWN, _SOURCES_SHOWN, _VERSIONS_SHOWN = 5, 10, 60
Body = Mapping[str, Any]


def blame_lines(body: Body) -> Iterator[str]:
    """What `weir blame` prints."""
    rows = body["versions"]
    names = list(rows[0]["metrics"]) if rows else []
    header = ("version", "created", "learned", "errors", "loss", *names, "")
    marks = _marks(body)
    yield from _table(
        header,
        (
            (
                row["version"], row["created_at"], row["learned"], short(row["errors"]),
                short(row["loss"]),
                *(short(row["metrics"][name]) for name in names), marks.get(row["version"], ""),
            )
            for row in rows[-_VERSIONS_SHOWN:]
        ),
    )  # fmt: skip
    yield (
        "errors: among the events since the version before, as each was predicted; loss: on "
        f"{body['probe']['events']:,} good events, {body['probe']['from']}"
    )
    if body["first_bad"] is None:
        yield (
            f"nothing broke since {body['since']}: no version is worse than one before by more "
            "than versions differ as a rule; name an earlier --since, or other events"
        )
        return
    yield from _break_lines(body)


def _marks(body: Body) -> dict[str, str]:
    if body["first_bad"] is None:
        return {}
    marks = {body["worst"]["version"]: "worst"} if body["worst"] else {}
    if body["recovered"]:
        marks[body["recovered"]] = "recovered"
    return marks | {
        body["last_good"]["version"]: "last good",
        body["first_bad"]["version"]: "first bad",
    }


def _break_lines(body: Body) -> Iterator[str]:
    good, bad, worst = body["last_good"], body["first_bad"], body["worst"]
    yield (
        f"first bad: {bad['version']} ({bad['created_at']}); last good: {good['version']} "
        f"({good['created_at']})"
    )
    if body["unjudged"]:
        yield f"{body['unjudged']} versions between the two are not kept, or could not be loaded"
    if worst is None:
        yield (
            "errors rose as these events were predicted, before they were learned; on good events "
            "the versions since are no worse"
        )
    else:
        was, then = short(good["loss"]), short(worst["loss"])
        yield f"on good events the loss was {was}, then up to {then}"
    if body["also"]:
        yield f"it broke again at {body['also']}: --since a version between tells more"
    yield f"recovered by {body['recovered']}" if body["recovered"] else "it has not recovered"
    yield from between_lines(body["between"])
    yield f"next: {body['next']}"
    if body["next_by_source"]:
        yield f"  or, for a source that is new there: {body['next_by_source']}"


def diff_lines(body: Body) -> Iterator[str]:
    """What `weir diff` prints."""
    one, other = body["from"], body["to"]
    yield from _table(("", one["version"], other["version"]), _fact_rows(body))
    yield from between_lines(body["between"])
    for path, change in {**body["model_file"], **body["software"]}.items():
        yield f"{path}: was {change['was']!r}, is {change['is']!r}"
    if body["not_loaded"]:
        yield f"predictions cannot be compared: {body['not_loaded']}"
    for probe in body["probes"]:
        yield f"probe of {probe['of']}: {_answer(probe['from'])} -> {_answer(probe['to'])}"
    if body["predictions"]:
        yield from _prediction_lines(body["predictions"])


def _fact_rows(body: Body) -> Iterator[tuple[object, ...]]:
    one, other = body["from"], body["to"]
    for key in one:
        if key != "version":
            yield key, one[key], other[key]
    for name, windows in body["metrics"].items():
        for window, (was, now) in windows.items():
            yield f"{name} {window}", short(was), short(now)
    for topic, partitions in body["offsets"].items():
        for partition, (was, now) in partitions.items():
            yield f"{topic}-{partition}", was, now


def _prediction_lines(found: Body) -> Iterator[str]:
    was, now = found["loss"]
    moved = found["moved"]
    most = max(found["unanswered"])
    refused = f" ({most:,} of them refused)" if most else ""
    yield (
        f"on the last {found['events']:,} labelled events{refused}: {found['changed']:,} "
        f"predictions differ, moved by {short(moved['mean'])} (at most {short(moved['max'])}); "
        f"{found['better']:,} better, {found['worse']:,} worse; loss {short(was)} -> {short(now)}"
    )
    for name, (before, after) in found["metrics"].items():
        yield f"  {name} {short(before)} -> {short(after)}"


def between_lines(between: Body) -> Iterator[str]:
    """What was learned between two versions."""
    where = "; ".join(
        f"{topic}-{partition} {', '.join(f'{first}-{end - 1}' for first, end in parts)}"
        for topic, of in between["stretch"].items()
        for partition, parts in of.items()
    )
    yield f"between them: {between['offsets']:,} offsets ({where or 'none'})"
    if between["gone"]:
        yield f"  {between['gone']:,} of them cannot be read: {between['why']}"
    if not between["complete"] and not between["gone"]:
        yield f"  the first {between['read']:,} were read: raise --records to read more"
    for reason in between.get("rollbacks", ()):
        yield f"  rolled back {reason}"
    rows = [_source_row(each) for each in between["sources"][:_SOURCES_SHOWN]]
    if rows:
        header = ("  source", "records", "before", "refused", "unlabelled", "labels")
        yield from _table(header, rows)
    more = len(between["sources"]) - len(rows)
    if more > 0:
        yield f"  and {more:,} sources more"


def _source_row(each: Body) -> tuple[object, ...]:
    source = "(none named)" if each["source"] is None else each["source"]
    counts = each["records"], each.get("before"), each["refused"], each["unlabelled"]
    return f"  {source}", *counts, _labels(each)


def _labels(each: Body) -> str:
    shown = list(each["labels"].items())[:_LABELS_SHOWN]
    told = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {short(value)}"
        for name, value in shown
    )
    more = len(each["labels"]) - len(shown)
    return told + (f" and {more} more" if more > 0 else "")


def replay_lines(body: Body) -> Iterator[str]:
    """What `weir replay-prediction` prints."""
    yield f"logged    {_answer(body['logged'])}"
    yield f"replayed  {_answer(body['replayed'])}"
    where = f"{body['topic']}-{body['partition']} at offset {body['offset']}"
    same = "equal" if body["equal"] else "NOT equal"
    yield f"{same}: {body['version']}, asked {body['predicted_at']}, {where}"


def _answer(answer: Body) -> str:
    if "refused" in answer:
        return f"refused: {answer['refused']}"
    chances = answer.get("probabilities") or {}
    told = " ".join(f"{name}={short(chance)}" for name, chance in chances.items())
    return f"{_label(answer['prediction'])}  {told}".rstrip()


def _label(prediction: Any) -> str:
    """A prediction as answers have it.

    >>> _label(True), _label("UP"), _label(None), _label(2.5)
    ('true', 'UP', 'null', '2.5')
    """
    return prediction if isinstance(prediction, str) else json.dumps(prediction)


def short(value: float | None) -> str:
    """A number as people read it.

    >>> short(0.123456), short(None)
    ('0.1235', '-')
    """
    return "-" if value is None else f"{value:.4g}"


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    cells = [[*header], *(["-" if v is None else str(v) for v in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(f"{v:<{w}}" for v, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
