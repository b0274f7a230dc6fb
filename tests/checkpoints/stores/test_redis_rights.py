"""A user of Redis with the rights that the documents give is enough; what lacks is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import StoreForbidden
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.stores.heads import HeldBy, Outcome
from checkpoints.stores.in_redis import rights
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from config.text.addresses import without_password
from tests.checkpoints.builders import OPERATOR, VERIFIER, granted, history
from tests.checkpoints.operators import order

TOP = Path(__file__).resolve().parents[3]
PAGE = (TOP / "docs" / "how-to" / "own-kafka-and-redis.md").read_text()
PASSWORD = "p@ss/w%rd"
IN_URL = "p%40ss%2Fw%25rd"
# As documented: what stands behind `ACL SETUSER name on >PASSWORD`.
RULES = {
    name: rules.split()
    for name, rules in re.findall(r"^ACL SETUSER (\S+) on >PASSWORD (.*)$", PAGE, re.MULTILINE)
}

STOPPED = {"state": "stopped"}  # orders do not wait for it
As = Callable[[list[str]], RedisStore]


@pytest.fixture
def line(unique_name: str) -> Line:
    return Line(unique_name)


@pytest.fixture
def admin(valkey_server: ValkeyServer) -> Iterator[Redis]:
    with Redis.from_url(valkey_server.url) as client:
        yield client


@pytest.fixture
def as_user(valkey_server: ValkeyServer, admin: Redis, line: Line) -> Iterator[As]:
    """`as_user(rules)`: the store as a user with these rights and a password to be escaped."""
    name = f"user-{line.model}"
    url = valkey_server.url.replace("://", f"://{name}:{IN_URL}@")
    stores = []

    def make(rules: list[str]) -> RedisStore:
        admin.execute_command("ACL", "SETUSER", name, "reset", "on", f">{PASSWORD}", *rules)
        stores.append(RedisStore(RedisConnection(url, deadline_s=1)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()
    admin.acl_deluser(name)


def learn(store: RedisStore, line: Line) -> None:
    """All that a learner does."""
    store.require_rights(line)
    assert [found.level for found in store.findings()] == ["ok"] * 4
    token = granted(store, line).token
    one, two, three = history(store, line, token, length=3)
    store.beat(line, role="learner", name="a", payload=STOPPED, ttl_s=60, is_news=True)
    assert store.renew(line, holder="host-1", token=token, lease_s=5)
    drop, lineages = [one.id], {two.id: b"of v1"}
    outcome = store.prune(
        line, token=token, head=three.id, control=None, drop=drop, lineages=lineages
    )
    assert outcome is Outcome.OK
    store.release(line, holder="host-1", token=token)


def operate(store: RedisStore, line: Line) -> None:
    """Orders, and what they wait for."""
    enforcement = Enforcement(store=store, pause=lambda _s: None, limit_s=0.1)
    operator = Operator(store, OPERATOR, VERIFIER, who="ops@here", enforcement=enforcement)
    operator.run(line, order("rollback", "v2", mode="forget"), idempotency_key="once")
    operator.run(line, order("freeze"))
    assert line in store.lines()
    assert len(LineReader(store, VERIFIER, line).audit(limit=5)) == 2


def serve(store: RedisStore, line: Line) -> None:
    """What an API does that takes no orders."""
    reader = LineReader(store, VERIFIER, line)
    head = reader.state().head
    assert head is not None
    store.beat(line, role="api", name="b", payload={}, ttl_s=60, serving=head.id)
    assert store.in_use(line) == {head.id}
    reader.check_segments(head)
    hints = store.hints([line], sure_s=60)
    assert (hints.take(), hints.take(), hints.fileno() >= 0) == (True, False, True)
    hints.close()
    with pytest.raises(StoreForbidden, match="may not"):
        store.acquire(line, holder="intruder", lease_s=5)


def test_one_user_with_the_documented_rights_learns_gives_orders_and_serves(
    as_user: As, line: Line
) -> None:
    store = as_user(RULES["weir"])
    learn(store, line)
    operate(store, line)
    assert not isinstance(store.acquire(line, holder="next", lease_s=5), HeldBy)


def test_a_user_for_each_kind_of_process_has_all_it_needs(as_user: As, line: Line) -> None:
    learn(as_user(RULES["weir-learner"]), line)
    operate(as_user(RULES["weir-operator"]), line)
    serve(as_user(RULES["weir-api"]), line)


# One right less than all, what is said of it, and the rule that mends it.
LACKING = [
    (["-info"], "may not run INFO", "+info"),
    (["-hincrby", "-persist"], "may not run PERSIST, run HINCRBY", "+persist +hincrby"),
    (["-evalsha"], "may not run EVALSHA", "+evalsha"),
    (["-exec"], "may not run EXEC", "+exec"),
    (["-client|setname"], "may not run CLIENT SETNAME", "+client|setname"),
    (["resetkeys", "~other:*"], r"may not use the keys weir:\*", "~weir:*"),
    (["resetkeys", "%R~weir:*"], r"may not use the keys weir:\*", "~weir:*"),
    (["resetchannels"], r"may not use the channels weir:\* ", "&weir:*"),
    (["-subscribe"], "may not run SUBSCRIBE", "+subscribe &weir:*"),
]


@pytest.mark.parametrize(("rules", "said", "mend"), LACKING, ids=lambda each: str(each)[:30])
def test_what_a_user_lacks_is_named_with_the_rule_that_adds_it(
    as_user: As, admin: Redis, line: Line, rules: list[str], said: str, mend: str
) -> None:
    store = as_user([*RULES["weir"], *rules])
    with pytest.raises(StoreForbidden, match=said) as caught:
        store.require_rights(line)
    assert caught.value.advice.endswith(f"ACL SETUSER user-{line.model} {mend}")
    assert caught.value.exit_code == 6

    admin.execute_command("ACL", "SETUSER", f"user-{line.model}", *mend.split())
    store.require_rights(line)


WRONG = [
    ("redis://nobody:x@", "password of its user 'nobody' is wrong"),
    ("redis://:wr0ng@", "password of its user 'default' is wrong"),
    ("redis://", r"asks for a password.*WEIR_REDIS__URL has none"),
]


@pytest.mark.parametrize(("begins", "said"), WRONG)
def test_a_wrong_password_is_no_missing_right(
    starts_servers: None, tmp_path: Path, begins: str, said: str
) -> None:
    with ValkeyServer(tmp_path / "valkey") as server:
        with Redis.from_url(server.url) as admin:
            admin.config_set("requirepass", "secret")
        store = RedisStore(RedisConnection(server.url.replace("redis://", begins)))
        with pytest.raises(StoreForbidden, match=said) as caught:
            store.poll([Line("m")])
        store.close()
    assert "ACL" not in str(caught.value)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("mark", ["#", "?", "/", "@", ":", "%40", "#?/"])
def test_no_part_of_a_password_is_ever_shown(mark: str) -> None:
    """Also of a URL that no parser understands."""
    for user in ("", "me"):
        url = f"redis://{user}:se{mark}cr{mark}et@cache:6379/0"
        assert without_password(url) == "redis://cache:6379/0"


def test_every_command_that_is_run_is_among_the_rights_that_are_looked_at() -> None:
    home = Path(rights.__file__).parent
    calls = {"*.lua": r"redis\.call\('([A-Z]+)'", "*.py": r'\(\s*"([A-Z]{3,})"'}
    run = {
        name
        for kind, call in calls.items()
        for path in home.rglob(kind)
        for name in re.findall(call, path.read_text())
    }
    looked_at = {command[0] for command in rights.needed_by_a_learner("k", "c")}
    to_be_let_in = {"AUTH", "CLIENT", "SELECT"}
    others = {"EVALSHA", "EVAL", "SCAN"}  # to run a script at all; to list and remove models
    assert run - looked_at == others | to_be_let_in
