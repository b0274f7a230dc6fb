"""Did you mean …? The nearest right name for a wrong one."""

import difflib
from collections.abc import Iterable

# difflib's own default, 0.6, also holds here: "acuracy" finds Accuracy, "xyz" finds nothing.
SIMILARITY_MIN = 0.6


def nearest(word: str, names: Iterable[str], *, is_whole: bool = False) -> str | None:
    """The one of `names` that `word` was most likely meant to be, or None.

    Case, dashes and underscores do not count. For names with dots the last part alone may
    match: newcomers leave out the module. Not with `is_whole`, for names that end alike.

    >>> nearest("acuracy", ["Accuracy", "ROCAUC"])
    'Accuracy'
    >>> nearest("StandardScaler", ["preprocessing.StandardScaler", "preprocessing.MinMaxScaler"])
    'preprocessing.StandardScaler'
    >>> nearest("xyz", ["Accuracy"]) is None
    True
    """
    whole: dict[str, str] = {}
    last_part: dict[str, str] = {}
    for name in names:
        whole.setdefault(_plain(name), name)
        last_part.setdefault(_plain(name.rpartition(".")[2]), name)
    sought = _plain(word)
    close = _closest(sought, whole)
    if is_whole:
        return close[1]
    short = _closest(sought.rpartition(".")[2], last_part)
    return max((close, short), key=lambda found: found[0])[1]


def nearest_first(word: str, names: Iterable[str]) -> list[str]:
    """All the names, those most like `word` first.

    >>> nearest_first("drfit", ["returns", "drift", "phishing"])
    ['drift', 'returns', 'phishing']
    """
    sought = _plain(word)

    def unlike(name: str) -> tuple[float, str]:
        return -difflib.SequenceMatcher(None, sought, _plain(name)).ratio(), name

    return sorted(names, key=unlike)


def did_you_mean(word: str, names: Iterable[str], *, is_whole: bool = False) -> str:
    """A tail for a message: ` (did you mean "x"?)`, or nothing.

    >>> "unknown key" + did_you_mean("tsak", ["task", "name"])
    'unknown key (did you mean "task"?)'
    >>> did_you_mean("phising.events", ["drift.events", "phishing.events"], is_whole=True)
    ' (did you mean "phishing.events"?)'
    >>> did_you_mean("xyz", ["task"])
    ''
    """
    found = nearest(word, names, is_whole=is_whole)
    return f' (did you mean "{found}"?)' if found else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _closest(word: str, table: dict[str, str]) -> tuple[float, str | None]:
    """How alike, and the name; (0, None) where nothing is alike enough."""
    if word in table:
        return 1.0, table[word]
    for found in difflib.get_close_matches(word, table, n=1, cutoff=SIMILARITY_MIN):
        return difflib.SequenceMatcher(None, word, found).ratio(), table[found]
    return 0.0, None
