"""Whose exported versions are believed: our own keys' and those that the settings name besides.

A key of another environment verifies its files and nothing else: what stands in our store is still
believed by our own keys alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from checkpoints.errors import KeyProblem
from checkpoints.records.signing import SigningSettings, Verifier, load_signer, public_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["Believing", "believed_here", "verifier_of"]


class Believing(SigningSettings, Protocol):
    """The section `signing` of the settings, with the keys of others."""

    @property
    def import_public(self) -> str | Path | None: ...


def verifier_of(given: Iterable[str | Path]) -> Verifier:
    """Believes the versions that these keys have signed, a learner's or an operator's.

    Args:
        given: Public keys: each a PEM file, or its text.

    Raises:
        KeyProblem: One of them is none.
    """
    keys = [key for each in given for key in public_keys(each, "public")]
    return Verifier(learner=keys, operator=keys)


def believed_here(signing: Believing) -> Verifier:
    """Believes what the settings do.

    Raises:
        KeyProblem: They name no key at all, or one that is none.
    """
    others = _named(signing.import_public, "import")
    learner = _named(signing.learner_public, "learner")
    operator = _named(signing.operator_public, "operator")
    if signer := load_signer(signing.learner_key, "learner"):
        learner += (signer.public,)
    if signer := load_signer(signing.operator_key, "operator"):
        operator += (signer.public,)
    if not (learner or operator or others):
        raise KeyProblem(
            "no public key is known here, so no exported version can be believed",
            advice="name that of whoever exported it in WEIR_SIGNING__IMPORT_PUBLIC, or in Python: "
            "weir.load(FILE, public_key=…)",
        )
    return Verifier(learner=(*learner, *others), operator=(*operator, *others))


def _named(given: str | Path | None, role: str) -> tuple[Ed25519PublicKey, ...]:
    return public_keys(given, role) if given else ()
