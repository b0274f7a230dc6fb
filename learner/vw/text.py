"""Vowpal Wabbit's text format: features written into it, and lines of it checked.

Source: github.com/VowpalWabbit/vowpal_wabbit/wiki/Input-format, and the reader of 9.11.9, whose
limits are noted where they matter.
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from config.model.parts import Limits
from learner.values import Reason, Refusal

# What VW's format gives a meaning to, the escape itself, and whatever may end a line.
_MEANT = re.compile("[\x00-\x20\x7f%:|\ud800-\udfff]")
_MEANT_IN_NAME = re.compile("[\x00-\x20\x7f%:|=\ud800-\udfff]")
# A name that is empty; no escape gives a lone per cent sign.
_EMPTY = "%"

_NUMBER = re.compile(r"([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:[eE]([+-]?\d+))?", re.ASCII)
_DIGITS_MAX = 30  # VW collects the digits in one float and overflows beyond
_EXPONENT_MAX = 99  # VW reads 1e-400 as infinite
_LABEL_WORDS_MAX = 3  # label, importance, initial prediction

# VW's reader loses small numbers with many digits from here on, and all of them from there.
_MANY_DIGITS_LOST_BELOW = 1e-15
_LOST_BELOW = 1e-28


class VWLine(NamedTuple):
    """One checked line.

    Attributes:
        label: VW's label, a whole number where it is written as one; None without.
        weight: VW's importance, None where none is written.
        tag: The tag without its quote, None where there is none.
        text: The line without its end.
    """

    label: int | float | None
    weight: float | None
    tag: str | None
    text: str


def features_text(x: Mapping[str, Any]) -> str:
    """The features as VW's text, without label: `|` and what follows.

    Numbers become `name:value`, strings `name=value`, true `name`; false and null are absent; a
    nested object is a namespace. No two different sets of features give the same text, save that
    true is the number 1, as VW has it.

    >>> features_text({"age": 3, "city": "New York", "new": True, "old": False, "u": {"a": 0.5}})
    '| age:3 city=New%20York new |u a:0.5'
    """
    plain = ["|"]
    nested: list[tuple[str, Mapping[str, Any]]] = []
    _write(plain, x, nested)
    for name, inner in nested:
        plain.append(f"|{_name(name)}")
        _write(plain, inner, nested)
    return " ".join(plain)


def tokens(x: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Of each feature that `features_text` writes: VW's name of it, our own, and its value there.

    >>> list(tokens({"age": 3, "city": "Rome", "old": False, "u": {"a": 0.5}}))
    [('age', 'age', 3.0), ('city=Rome', 'city', 1.0), ('u^a', 'u.a', 0.5)]
    """
    for name, value in x.items():
        if isinstance(value, dict):
            for token, inner, each in tokens(value):
                yield f"{_name(name)}^{token}", f"{name}.{inner}", each
        elif isinstance(value, str):
            yield f"{_name(name)}={_value(value)}", name, 1.0
        elif value:
            yield _name(name), name, float(value)


def unlabelled(text: str) -> str:
    """The line without label, importance and tag."""
    return text[text.index("|") :]


def parse_line(text: str, limits: Limits) -> VWLine | Refusal:
    """Check a line of a topic with `format: vw`; VW itself gets it as it is.

    >>> parse_line("1 0.5 'order-7|f a:2 b", Limits())
    VWLine(label=1, weight=0.5, tag='order-7', text="1 0.5 'order-7|f a:2 b")
    >>> parse_line("1 |f a:inf", Limits()).reason
    <Reason.not_finite: 'not_finite'>
    """
    text = text.removesuffix("\n").removesuffix("\r")
    if "\n" in text or "\r" in text:
        return Refusal(Reason.wrong_type, "more than one line", "decode")
    if "\0" in text:
        return Refusal(Reason.null_byte, "a null byte", "decode")
    head, bar, body = text.partition("|")
    if not bar:
        return Refusal(Reason.wrong_type, "a line without |: no features", "decode")
    refusal = _refused_body(body, limits)
    return refusal if refusal is not None else _with_head(head, text)


def _write(
    written: list[str], x: Mapping[str, Any], nested: list[tuple[str, Mapping[str, Any]]]
) -> None:
    """Append each feature, and put what is nested aside. In one loop, as this is the hot path."""
    for name, value in x.items():
        kind = type(value)
        if kind is float:
            is_small = -_MANY_DIGITS_LOST_BELOW < value < _MANY_DIGITS_LOST_BELOW
            written.append(f"{_name(name)}:{_small(value) if is_small else repr(value)}")
        elif kind is str:
            written.append(f"{_name(name)}={_value(value)}")
        elif value is True:
            written.append(_name(name))
        elif kind is int:
            written.append(f"{_name(name)}:{value}")
        elif kind is dict:
            nested.append((name, value))


def _small(value: float) -> str:
    return "0" if abs(value) < _LOST_BELOW else f"{value:.8g}"


@lru_cache(maxsize=1 << 16)
def _name(name: str) -> str:
    return _MEANT_IN_NAME.sub(_escape, name) or _EMPTY


@lru_cache(maxsize=1 << 14)
def _value(value: str) -> str:
    return _MEANT.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _refused_body(body: str, limits: Limits) -> Refusal | None:
    if body.count(" ") + body.count("\t") >= limits.features:
        count = sum(map(_feature_count, body.split("|")))
        if count > limits.features:
            detail = f"{count} features, limits.features is {limits.features}"
            return Refusal(Reason.too_many_features, detail, "decode")
    if len(body) > limits.string and not _has_spaces(body, limits.string // 2):
        longest = max(map(len, body.split(" ")))
        if longest > limits.string:
            detail = f"{longest} characters without a space, limits.string is {limits.string}"
            return Refusal(Reason.too_large, detail, "decode")
    if _suspect_number(limits.value).search(body) is None:
        return None
    return _refused_numbers(body, limits.value)


def _feature_count(section: str) -> int:
    """Features of one namespace: its name is what touches the bar."""
    return len(section.split()) - (section[:1] not in {"", " ", "\t"})


def _has_spaces(body: str, every: int) -> bool:
    """Whether each stretch of so many characters has a space: then no token is twice as long."""
    stretches = range(0, len(body) - every + 1, max(every, 1))
    return all(body.find(" ", i, i + every) >= 0 for i in stretches)


@lru_cache(maxsize=64)
def _suspect_number(bound: float) -> re.Pattern[str]:
    """Finds a colon that no number follows that is within `bound` by its digits alone."""
    digits = min(_DIGITS_MAX, math.floor(math.log10(bound))) if bound >= 1 else 0
    whole = rf"\d{{1,{digits}}}+(?:\.\d{{0,17}}+)?+|" if digits else ""
    safe = rf"[+-]?+(?:{whole}\.\d{{1,17}}+)(?:[eE]-\d\d?+)?+(?:[ \t|]|\Z)"
    return re.compile(rf":(?!{safe})" if bound >= 1 else ":", re.ASCII)


def _refused_numbers(body: str, bound: float) -> Refusal | None:
    for token in re.split(r"[ \t|]+", body):
        name, colon, number = token.partition(":")
        if colon:
            value = _number(number)
            if value is None:
                reason = Reason.not_finite if _is_not_finite(number) else Reason.wrong_type
                return Refusal(reason, f"{name[:80]}:{number[:40]} is no number", "decode")
            if abs(value) > bound:
                detail = f"{name[:80]} is {number[:40]}, limits.value is {bound:g}"
                return Refusal(Reason.out_of_bounds, detail, "decode")
    return None


def _number(text: str) -> float | None:
    """A number that VW reads as Python does; None for others. Beyond what VW holds: infinite."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    digits = len(found[2] or "") + len(found[3] or "") + len(found[4] or "")
    if digits > _DIGITS_MAX or abs(int((found[5] or "0")[:5])) > _EXPONENT_MAX:
        return math.inf
    return float(text)


def _is_not_finite(text: str) -> bool:
    return text.lower().lstrip("+-") in {"nan", "inf", "infinity"}


def _with_head(head: str, text: str) -> VWLine | Refusal:
    """Read label, importance and tag as VW does: what is before a tab does not count, and the
    last word is the tag if it touches the bar or has a quote."""
    numbers, _, tag = head.partition("\t")[2 if "\t" in head else 0].rpartition(" ")
    if not tag:
        rest, _, last = numbers.rstrip(" ").rpartition(" ")
        if last.startswith("'"):
            numbers, tag = rest, last
    read = _label_and_weight(numbers)
    if read is None:
        return Refusal(Reason.bad_label, f"{head[:80]!r} is no label of VW's", "decode")
    return VWLine(*read, tag.removeprefix("'") or None, text)


@lru_cache(maxsize=4096)
def _label_and_weight(text: str) -> tuple[int | float | None, float | None] | None:
    """Both, as far as they are there; None if they are no numbers."""
    words = [word for word in text.split(" ") if word]
    if not words:
        return None, None
    numbers = [_number(word) for word in words]
    if len(words) > _LABEL_WORDS_MAX or any(n is None or math.isinf(n) for n in numbers):
        return None
    label = int(words[0]) if words[0].lstrip("+-").isdecimal() else numbers[0]
    return label, numbers[1] if len(numbers) > 1 else None
