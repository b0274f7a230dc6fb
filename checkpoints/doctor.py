"""What `weir doctor` looks at where versions are kept: Redis, the keys, and each line's head."""

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

from checkpoints.errors import CheckpointError, KeyProblem, StoreForbidden, StoreUnavailable
from checkpoints.reading.reader import LineReader
from checkpoints.records.control import Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.records.signing import Keys, Role, SigningSettings, load_keys
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.setup import SetupFinding
from config.findings import Finding, error, fine, warning
from config.model.parts import Keep
from config.model_file import ModelFile
from config.text.sizes import mib

_DEADLINE_S = 3.0
_PAGE = 500


def store_findings(
    url: str, keys: Keys | None, models: Sequence[ModelFile]
) -> tuple[dict[str, Version | None], list[Finding]]:
    """Redis, and the line of each model in it.

    Args:
        keys: Without them no line is looked at.

    Returns:
        The verified head of each line that could be read, None where it has none; the findings.
    """
    store = RedisStore(RedisConnection(url, deadline_s=_DEADLINE_S))
    lines = {Line(model_file.name): model_file for model_file in models}
    about = f"redis {store.address}"
    heads: dict[str, Version | None] = {}
    found: list[Finding] = []
    try:
        found += _rights_findings(store, about, keys, lines)
        memory, room = store.memory()
        found += _server_findings(about, [*store.findings(), memory])
        if keys is not None:
            for line, model_file in lines.items():
                reader = LineReader(store, keys.verifier, line)
                found += _line_findings(reader, model_file, room, heads)
    except StoreUnavailable as problem:
        found.append(_as_error(about, problem))
    finally:
        store.close()
    return heads, found


def _rights_findings(
    store: RedisStore, about: str, keys: Keys | None, lines: Iterable[Line]
) -> Iterator[Finding]:
    """Whether our user may do what a learner does: it must where the learner's key is."""
    for line in lines or [Line("doctor")]:
        try:
            store.require_rights(line)
        except StoreForbidden as problem:
            if keys is None or keys.learner is not None:
                yield _as_error(about, problem)
            else:
                what = f"no learner could work as this user: {problem.cause}"
                yield warning(about, what, f"nothing, if none is to; else {problem.advice}")
            return
    yield fine(about, "its user may do all that a learner does")


def _server_findings(about: str, found: Iterable[SetupFinding]) -> Iterator[Finding]:
    """Version, role, eviction, persistence and memory: what a learner looks at, and how full."""
    for each in found:
        if each.level == "refuse":
            yield error(about, each.what, each.mend, exit_code=5 if each.name == "role" else 6)
        elif each.level == "warn":
            yield warning(about, each.what, each.mend)
        else:
            yield fine(about, each.what)


def key_findings(signing: SigningSettings) -> tuple[Keys | None, list[Finding]]:
    """The keys, if they can be loaded, and what is to be said of them."""
    try:
        keys = load_keys(signing)
    except KeyProblem as problem:
        return None, [_as_error("keys", problem)]
    known = ", ".join(keys.verifier.key_ids)
    roles = " and ".join(it.role for it in (keys.learner, keys.operator) if it)
    may = f"private keys here: {roles}" if roles else "no private key here: nothing can be signed"
    found = [fine("keys", f"records of these are believed: {known}; {may}")]
    return keys, found + list(_strangers(signing, keys))


def _strangers(signing: SigningSettings, keys: Keys) -> Iterator[Finding]:
    """Private keys whose public half is not among the public keys that were given."""
    roles: tuple[Role, ...] = ("learner", "operator")
    for role in roles:
        signer = keys.learner if role == "learner" else keys.operator
        if signer is None or not getattr(signing, f"{role}_public"):
            continue
        without = SimpleNamespace(
            learner_key=signing.learner_key,
            learner_public=signing.learner_public,
            operator_key=signing.operator_key,
            operator_public=signing.operator_public,
        )
        setattr(without, f"{role}_key", None)
        if signer.key_id not in load_keys(without).verifier.key_ids:
            what = f"the private {role} key {signer.key_id} is none of WEIR_SIGNING__"
            yield warning(
                "keys",
                f"{what}{role.upper()}_PUBLIC",
                "add its public key there and wherever else records are read, or nobody else "
                "will believe what it signs",
            )


def _line_findings(
    reader: LineReader, model_file: ModelFile, bytes_free: int, heads: dict[str, Version | None]
) -> Iterator[Finding]:
    """Whether the line's head verifies; if so, it is put in `heads`."""
    about = f"model {model_file.name}"
    try:
        state = reader.state()
        if state.problems:
            yield from (_as_error(about, problem) for problem in state.problems)
            return
        if state.head is not None:
            reader.load_segments(state.head)
    except StoreUnavailable:
        raise
    except CheckpointError as problem:
        yield _as_error(about, problem)
        return
    heads[model_file.name] = state.head
    if state.head is None:
        yield fine(about, "no version yet: `weir learn --new` begins it")
        return
    yield fine(about, _head_in_words(state.head))
    yield from _orders(about, state.control)
    if state.held is not None:
        what = f"{state.head.manifest.name} is held back and {state.held.good.name} is served"
        yield warning(about, what, f"`weir status {reader.line}` says by which score")
    yield _room(about, reader, state.head, model_file.checkpoint.keep, bytes_free)


def _head_in_words(head: Version) -> str:
    manifest = head.manifest
    return (
        f"the head {manifest.name} verifies: {manifest.counts.learned:,} learned, "
        f"{mib(manifest.bytes)} stored"
    )


def _orders(about: str, control: Control | None) -> list[Finding]:
    """Standing orders that keep the newest version from being served, or made."""
    if control is None:
        return []
    record, found = control.record, []
    if record.pin is not None:
        what = f"v{record.pin.number} is pinned and served"
        found.append(warning(about, what, f"`weir unpin {record.model}` serves the newest again"))
    if record.frozen:
        what = "learning is frozen"
        found.append(warning(about, what, f"`weir thaw {record.model}` goes on"))
    return found


def _room(about: str, reader: LineReader, head: Version, keep: Keep, bytes_free: int) -> Finding:
    """Whether Redis has room for as many versions of this size as retention may keep."""
    kept = reader.listing(limit=_PAGE)
    stored = sum(each.manifest.bytes for each in kept if isinstance(each, Version))
    count = keep.last + keep.minutely + keep.hourly + keep.daily
    needed = min(count * head.manifest.bytes, keep.max_bytes)
    what = f"retention may come to keep {mib(needed)}; {mib(stored)} are kept"
    if needed - stored > bytes_free:
        mend = f"Redis may use {mib(bytes_free)} more: give it memory, or lower `checkpoint.keep`"
        return warning(about, what, mend)
    return fine(about, what)


def _as_error(about: str, problem: CheckpointError) -> Finding:
    return error(about, problem.what, problem.advice, exit_code=problem.exit_code)
