"""Signatures: what verifies is what was signed, by whom it says, as what it says."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.errors import KeyProblem, Tampered
from checkpoints.records.signing import Verifier, canonical, load_keys, make_keys
from tests.checkpoints.builders import LEARNER, OPERATOR, STRANGER, VERIFIER

BODY = canonical({"number": 17, "offsets": {"events": {"0": 1234}}, "text": 'é "\\ \u2028'})
ENVELOPE = LEARNER.seal("manifest", BODY)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The `signing` section of the settings."""

    learner_key: str | Path | None = None
    learner_public: str | Path | None = None
    operator_key: str | Path | None = None
    operator_public: str | Path | None = None


def public_pem(public: Ed25519PublicKey) -> str:
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def test_what_was_sealed_opens() -> None:
    assert VERIFIER.open("manifest", ENVELOPE, where="m/0 v17") == ("learner", BODY)


def test_a_record_cannot_be_passed_off_as_another_kind() -> None:
    for kind in ("control", "lineage"):
        with pytest.raises(Tampered, match="signature"):
            VERIFIER.open(kind, ENVELOPE, where="m/0")


def test_an_unknown_key_is_named() -> None:
    envelope = STRANGER.seal("manifest", BODY)
    with pytest.raises(Tampered, match=f"m/0 v17.*{STRANGER.key_id}"):
        VERIFIER.open("manifest", envelope, where="m/0 v17")


def test_a_key_speaks_in_its_own_role_only() -> None:
    """The operator's key does not become a learner's because the envelope says so."""
    fields = msgspec.json.decode(OPERATOR.seal("manifest", BODY))
    fields["key"] = fields["key"].replace("operator", "learner")
    with pytest.raises(Tampered):
        VERIFIER.open("manifest", canonical(fields), where="m/0")


@given(at=st.integers(0, len(ENVELOPE) - 1), flip=st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, flip: int) -> None:
    changed = bytearray(ENVELOPE)
    changed[at] ^= flip
    with pytest.raises(Tampered):
        VERIFIER.open("manifest", bytes(changed), where="m/0")


@given(cut=st.integers(0, len(ENVELOPE) - 1), tail=st.binary(max_size=4))
def test_no_envelope_can_be_cut_or_extended(cut: int, tail: bytes) -> None:
    for wrong in (ENVELOPE[:cut], ENVELOPE + b" " + tail):
        with pytest.raises(Tampered):
            VERIFIER.open("manifest", wrong, where="m/0")


@pytest.mark.parametrize(
    "spelt",
    [
        ENVELOPE.replace(b'","', b'", "'),
        ENVELOPE.replace(b"==", b""),
        ENVELOPE.replace(b"/", b"\\/"),
        ENVELOPE.replace(b"}", b',"more":1}'),
        ENVELOPE.replace(b'{"body"', b'{"body":"","body"'),
        b'{"body":"{}"}',
        b"[" * 100_000,
        b"",
        b"null",
        b"\xff\xfe",
    ],
)
def test_each_envelope_has_one_spelling(spelt: bytes) -> None:
    """Else a copy under another id would verify."""
    if spelt != ENVELOPE:
        with pytest.raises(Tampered):
            VERIFIER.open("manifest", spelt, where="m/0")


def test_old_and_new_keys_are_believed_while_they_change() -> None:
    both = Verifier(learner=[LEARNER.public, STRANGER.public])
    for signer in (LEARNER, STRANGER):
        assert both.open("manifest", signer.seal("manifest", BODY), where="")[1] == BODY


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first, again = make_keys(tmp_path / "keys"), make_keys(tmp_path / "keys")
    assert first.verifier.key_ids == again.verifier.key_ids
    for name in ("learner.pem", "operator.pem"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600


def test_keys_are_loaded_from_paths_or_text(tmp_path: Path) -> None:
    made = make_keys(tmp_path)
    public = (tmp_path / "operator.pub").read_text()
    keys = load_keys(Settings(learner_key=tmp_path / "learner.pem", operator_public=public))
    assert set(keys.verifier.key_ids) == set(made.verifier.key_ids)
    assert keys.signer("learner").key_id == made.signer("learner").key_id
    with pytest.raises(KeyProblem, match="WEIR_SIGNING__OPERATOR_KEY"):
        keys.signer("operator")


def test_who_must_sign_and_cannot_is_told_at_once(tmp_path: Path) -> None:
    make_keys(tmp_path)
    public = {f"{role}_public": tmp_path / f"{role}.pub" for role in ("learner", "operator")}
    assert load_keys(Settings(**public)).learner is None
    with pytest.raises(KeyProblem, match="WEIR_SIGNING__LEARNER_KEY"):
        load_keys(Settings(**public), signs_as="learner")


def test_a_public_file_may_hold_several_keys(tmp_path: Path) -> None:
    both = public_pem(LEARNER.public) + "\n# the old one\n" + public_pem(STRANGER.public)
    operator = public_pem(OPERATOR.public)
    keys = load_keys(Settings(learner_public=both, operator_public=operator))
    expected = {signer.key_id for signer in (LEARNER, STRANGER, OPERATOR)}
    assert set(keys.verifier.key_ids) == expected


def test_a_private_key_open_to_all_is_refused(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "learner.pem").chmod(0o644)
    with pytest.raises(KeyProblem, match="chmod 600"):
        load_keys(Settings(learner_key=tmp_path / "learner.pem"))


@pytest.mark.parametrize("content", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAA==\n"])
def test_a_file_that_is_no_key_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "learner.pem"
    path.write_text(content)
    for settings in (Settings(learner_key=path), Settings(learner_public=path)):
        with pytest.raises(KeyProblem, match=r"learner\.pem"):
            load_keys(settings)


def test_without_any_key_nothing_could_be_verified() -> None:
    with pytest.raises(KeyProblem, match="WEIR_SIGNING__LEARNER_PUBLIC"):
        load_keys(Settings())
