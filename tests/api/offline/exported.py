"""Models that were really learned and exported, for those who load them."""

from pathlib import Path

from checkpoints.exporting.export import Written, write_version
from checkpoints.operating.connection import Connection
from checkpoints.records.signing import Keys, public_pem
from checkpoints.stores.contract import Store
from tests.checkpoints.builders import LEARNER, OPERATOR, VERIFIER

PUBLIC = public_pem(LEARNER.public).decode()
KEYS = Keys(learner=None, operator=OPERATOR, verifier=VERIFIER)


def export(store: Store, model: str, file: Path, version: str = "v1") -> Written:
    """Write a version, as `weir export` does."""
    return write_version(Connection(store=store, keys=KEYS, who="ann"), model, version, file)
