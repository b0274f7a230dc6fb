"""Signed records: two Ed25519 keys, one envelope, and nothing is parsed before it verifies.

The *learner key* signs what a learner makes (committed versions, lineage), the *operator key*
what an operator orders (rollbacks, control records). A reader holds public keys only. Each kind
of record is signed under its own name, so that one can never be passed off as another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from checkpoints.errors import KeyProblem, Tampered, UnknownFormat, UnknownKey
from config.files import room_for

__all__ = ["Keys", "Kind", "Role", "Signer", "Verifier", "canonical", "decode", "digest",
           "load_signer", "public_keys", "public_pem", "signer_of"]  # fmt: skip

Role = Literal["learner", "operator"]
Kind = Literal["manifest", "control", "lineage"]
T = TypeVar("T")

_END_OF_PEM = "-----END PUBLIC KEY-----"
# A key as OpenSSL writes it (RFC 8410): these bytes, then the key's own 32. Others are read by the
# library's parsers, which take longer to load than most commands to run.
_PEM = re.compile(r"-----BEGIN (\w+) KEY-----([A-Za-z0-9+/=\s]+)-----END \1 KEY-----")
_BEFORE = {
    "PRIVATE": bytes.fromhex("302e020100300506032b657004220420"),
    "PUBLIC": bytes.fromhex("302a300506032b6570032100"),
}
_KEY_BYTES = 32


def canonical(record: object) -> bytes:
    """The one JSON text of `record`: keys sorted, no spaces, NaN as null.

    >>> canonical({"b": 1, "a": float("nan")})
    b'{"a":null,"b":1}'
    """
    return msgspec.json.encode(record, order="sorted")


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal: the id of every record and the name of every segment."""
    return hashlib.sha256(content).hexdigest()


def normal(record: T) -> bytes:
    """The canonical text of `record` as its own type reads it back (an int score becomes a float).

    Raises:
        msgspec.ValidationError: a field does not fit its declared type.
    """
    kind = type(record)
    return canonical(msgspec.json.decode(canonical(record), type=kind))


def decode(body: bytes, kind: type[T], *, where: str) -> T:
    """Read a verified `body` strictly: right format, no field too many, no other spelling.

    Raises:
        UnknownFormat: a later build wrote it.
        Tampered: it verifies and yet is not a record of this kind in canonical form.
    """
    try:
        record = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as problem:
        _refuse_other_format(body, where)
        raise Tampered(where, f"not a {kind.__name__}: {problem}") from problem
    if canonical(record) != body:
        _refuse_other_format(body, where)
        raise Tampered(where, f"not the canonical form of a {kind.__name__}")
    return record


class _Format(msgspec.Struct):
    format: int = 1


def _refuse_other_format(body: bytes, where: str) -> None:
    try:
        found = msgspec.json.decode(body, type=_Format).format
    except (msgspec.DecodeError, RecursionError):
        return
    if found != 1:
        raise UnknownFormat(where, found)


class _SignedEnvelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    body: str
    key: str
    signature: str


def signer_of(envelope: bytes) -> str:
    """The id of the key by which a verified envelope is signed."""
    return msgspec.json.decode(envelope, type=_SignedEnvelope).key


def _message(kind: Kind, body: bytes) -> bytes:
    return b"weir:" + kind.encode() + b"\n" + body


def _key_id(role: Role, public: Ed25519PublicKey) -> str:
    return f"{role}:{digest(public.public_bytes_raw())[:16]}"


class Signer:
    """Holds one private key and signs in one role."""

    def __init__(self, private: Ed25519PrivateKey, *, role: Role) -> None:
        self._private = private
        self.role: Role = role
        self.public = private.public_key()
        self.key_id = _key_id(role, self.public)

    def seal(self, kind: Kind, body: bytes) -> bytes:
        """The signed envelope around `body` (canonical JSON): what goes to the store."""
        signature = base64.b64encode(self._private.sign(_message(kind, body))).decode()
        return canonical(_SignedEnvelope(body=body.decode(), key=self.key_id, signature=signature))


class Verifier:
    """Knows the public keys of each role; several at once while keys are being changed."""

    def __init__(
        self,
        *,
        learner: Iterable[Ed25519PublicKey] = (),
        operator: Iterable[Ed25519PublicKey] = (),
    ) -> None:
        self._keys = {_key_id("learner", key): key for key in learner}
        self._keys |= {_key_id("operator", key): key for key in operator}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys this verifier accepts, `role:first 16 hex of the SHA-256`."""
        return tuple(self._keys)

    def key(self, key_id: str) -> Ed25519PublicKey:
        """The key of this id, which this verifier accepts."""
        return self._keys[key_id]

    def open(self, kind: Kind, envelope: bytes, *, where: str) -> tuple[Role, bytes]:
        """Verify `envelope` and return who signed it and what.

        Args:
            kind: What the caller takes it for; a record signed as another kind is refused.
            envelope: As it came from the store; hostile until this returns.
            where: Line and version, for the error.

        Raises:
            Tampered: not an envelope, not its canonical form, a bad signature.
            UnknownKey: the key is none of these.
        """
        try:
            read = msgspec.json.decode(envelope, type=_SignedEnvelope)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise Tampered(where, f"no signed {kind}: {problem}") from problem
        if canonical(read) != envelope:
            raise Tampered(where, f"the {kind}'s envelope is not in canonical form")
        public = self._keys.get(read.key)
        if public is None:
            raise UnknownKey(where, kind, read.key)
        body = read.body.encode()
        try:
            public.verify(_signature(read.signature), _message(kind, body))
        except (InvalidSignature, ValueError) as problem:
            raise Tampered(where, f"the {kind}'s signature by {read.key} is wrong") from problem
        return ("learner" if read.key.startswith("learner:") else "operator"), body


def _signature(text: str) -> bytes:
    """Exactly one text decodes to each signature, else a copy under another id would verify."""
    try:
        signature = base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise ValueError("not base64") from problem
    if base64.b64encode(signature).decode() != text:
        raise ValueError("not canonical base64")
    return signature


class Keys(Struct, frozen=True, kw_only=True):
    """What a process may sign with (None: nothing in that role), and whom it believes."""

    learner: Signer | None
    operator: Signer | None
    verifier: Verifier

    def signer(self, role: Role) -> Signer:
        """The signer of `role`.

        Raises:
            KeyProblem: this process was given no private key for it.
        """
        found = self.learner if role == "learner" else self.operator
        if found is None:
            raise _no_private_key(role)
        return found


def _no_private_key(role: Role) -> KeyProblem:
    return KeyProblem(
        f"no private {role} key is configured",
        advice=f"set WEIR_SIGNING__{role.upper()}_KEY to its PEM file",
    )


class SigningSettings(Protocol):
    """The `signing` section of the settings: each a path to a PEM file, or its text."""

    @property
    def learner_key(self) -> str | Path | None: ...
    @property
    def learner_public(self) -> str | Path | None: ...
    @property
    def operator_key(self) -> str | Path | None: ...
    @property
    def operator_public(self) -> str | Path | None: ...


def load_keys(settings: SigningSettings, *, signs_as: Role | None = None) -> Keys:
    """The keys that `settings` name. A public key follows from its private one.

    A public PEM may hold several keys one after the other: all are believed, so that records
    signed by the old key stay readable while it is replaced.

    Args:
        signs_as: What this process cannot do without.

    Raises:
        KeyProblem: a file is missing, not an Ed25519 PEM, or readable by every user; or a role
            has no key at all, and nothing could be verified; or the private one that it cannot
            do without is missing.
    """
    if signs_as is not None and not getattr(settings, f"{signs_as}_key"):
        raise _no_private_key(signs_as)
    learner = load_signer(settings.learner_key, "learner")
    operator = load_signer(settings.operator_key, "operator")
    verifier = Verifier(
        learner=_believed(settings.learner_public, learner, "learner"),
        operator=_believed(settings.operator_public, operator, "operator"),
    )
    return Keys(learner=learner, operator=operator, verifier=verifier)


def make_keys(directory: Path) -> Keys:
    """The keys kept in `directory`, made on first use; files are readable by their owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    learner = _kept_signer(directory / "learner.pem", "learner")
    operator = _kept_signer(directory / "operator.pem", "operator")
    verifier = Verifier(learner=[learner.public], operator=[operator.public])
    return Keys(learner=learner, operator=operator, verifier=verifier)


def _kept_signer(path: Path, role: Role) -> Signer:
    if not path.exists():
        private = Ed25519PrivateKey.generate()
        _write_public(path.with_suffix(".pub"), private.public_key())
        _write_new(path, _private_pem(private))
    signer = load_signer(path, role)
    assert signer is not None
    return signer


def _private_pem(private: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(public: Ed25519PublicKey) -> bytes:
    """The PEM text of a public key."""
    from cryptography.hazmat.primitives import serialization

    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _write_public(path: Path, public: Ed25519PublicKey) -> None:
    _write_new(path, public_pem(public))


def _write_new(path: Path, content: bytes) -> None:
    """Whole or not at all: a key cut short by a crash would lock its owner out."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with room_for(path, len(content)), os.fdopen(os.open(staged, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _believed(
    given: str | Path | None, signer: Signer | None, role: Role
) -> tuple[Ed25519PublicKey, ...]:
    keys = public_keys(given, role) if given else ()
    keys += (signer.public,) if signer else ()
    if not keys:
        raise KeyProblem(
            f"no public {role} key is configured, so no {role}'s record can be verified",
            advice=f"set WEIR_SIGNING__{role.upper()}_PUBLIC to its PEM file",
        )
    return keys


def public_keys(given: str | Path, role: str) -> tuple[Ed25519PublicKey, ...]:
    """The public keys of a PEM file, or of PEM text; `role` names them in errors.

    Raises:
        KeyProblem: There is none, or one that is no Ed25519 key.
    """
    pems = [pem + _END_OF_PEM for pem in _pem_text(given, role).split(_END_OF_PEM)[:-1]]
    keys = [_parse(pem, given, role) for pem in pems]
    if not keys:
        raise _not_a_key(given, role, "no public key")
    return tuple(keys)


def _parse(pem: str, given: str | Path, role: str) -> Ed25519PublicKey:
    if own := _own_bytes(pem, "PUBLIC"):
        return Ed25519PublicKey.from_public_bytes(own)
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_public_key(pem.strip().encode())
    except (ValueError, TypeError) as problem:
        raise _not_a_key(given, role, "no public key") from problem
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key(given, role, "no Ed25519 key")
    return key


def load_signer(given: str | Path | None, role: Role) -> Signer | None:
    """The signer of a private key's PEM file or text; None where none is given.

    Raises:
        KeyProblem: As `load_keys`.
    """
    if not given:
        return None
    pem = _pem_text(given, role)
    if own := _own_bytes(pem, "PRIVATE"):
        return Signer(Ed25519PrivateKey.from_private_bytes(own), role=role)
    from cryptography.hazmat.primitives import serialization

    try:
        private = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as problem:
        raise _not_a_key(given, role, "no private key") from problem
    if not isinstance(private, Ed25519PrivateKey):
        raise _not_a_key(given, role, "no Ed25519 key")
    return Signer(private, role=role)


def _own_bytes(pem: str, kind: Literal["PRIVATE", "PUBLIC"]) -> bytes | None:
    """The 32 bytes of an Ed25519 key that is written as usual; None for all else."""
    found = _PEM.fullmatch(pem.strip())
    if found is None or found[1] != kind:
        return None
    try:
        der = base64.b64decode("".join(found[2].split()), validate=True)
    except binascii.Error:
        return None
    before, own = der[:-_KEY_BYTES], der[-_KEY_BYTES:]
    return own if before == _BEFORE[kind] else None


def _pem_text(given: str | Path, role: str) -> str:
    text = str(given)
    if "-----BEGIN" in text:
        return text
    path = Path(text)
    try:
        mode, content = path.stat().st_mode, path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as problem:
        raise _not_a_key(given, role, f"unreadable ({problem})") from problem
    if "PRIVATE" in content and mode & stat.S_IRWXO:
        raise KeyProblem(
            f"the private {role} key {path} is open to every user of this machine",
            advice=f"chmod 600 {path}",
        )
    return content


def _not_a_key(given: str | Path, role: str, why: str) -> KeyProblem:
    named = "given as text" if "-----BEGIN" in str(given) else str(given)
    return KeyProblem(
        f"the {role} key {named}: {why}",
        advice="make one with `openssl genpkey -algorithm ed25519`, or let `weir dev` make it",
    )
