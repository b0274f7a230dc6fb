"""A version in a file: it comes back as it was, or not at all."""

import re
import struct
from pathlib import Path

import pytest

from checkpoints.errors import FileRefused
from checkpoints.exporting.believed import verifier_of
from checkpoints.exporting.container import FORMAT, MAGIC, packed, read_exported
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version, seal_version
from checkpoints.records.segments import pack
from checkpoints.records.signing import public_pem
from tests.checkpoints.builders import LEARNER, OPERATOR, STRANGER, VERIFIER, a_manifest

KINDS = {"model": b"weights" * 50, "drifts": b"{}", "window": b"ids", "pending.1": b"rows"}
PEM = {key.key_id: public_pem(key.public).decode() for key in (LEARNER, OPERATOR, STRANGER)}


def version_of(kinds=KINDS, signer=LEARNER) -> tuple[Version, dict[str, bytes]]:
    """A version with these segments; it, and they as they are stored."""
    stored = {name: pack(raw) for name, raw in kinds.items()}
    refs = {name: ref for name, (ref, _) in stored.items()}
    version = seal_version(a_manifest(Line("phishing"), segments=refs), signer)
    return version, {name: data for name, (_, data) in stored.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    version, stored = version_of()
    path = tmp_path / "phishing.weir"
    path.write_bytes(packed(version, stored))
    return path


def test_it_comes_back_with_what_is_the_learners_and_nothing_of_the_log(file):
    version, _ = version_of()

    found = read_exported(file, VERIFIER)

    assert (found.version, found.signer) == (version, LEARNER.key_id)
    assert sorted(found.segments) == ["drifts", "model"]
    assert found.raw("model") == KINDS["model"]


def test_any_byte_that_is_changed_is_noticed(file):
    """Each of them, by its lowest and its highest bit."""
    whole = file.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 128):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            file.write_bytes(damaged)
            with pytest.raises(FileRefused, match=re.escape(str(file))) as refused:
                read_exported(file, VERIFIER)
            assert refused.value.exit_code == 6


def test_wherever_it_is_cut_short_is_noticed(file):
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(FileRefused, match=r"ends before the version does|no exported version"):
            read_exported(file, VERIFIER)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no exported version; `weir export` writes one"),
        (b"PK\x03\x04 a zip", "it is no exported version"),
        (struct.pack(">8sHI", MAGIC, FORMAT + 1, 10), "of format 2, and this build reads format 1"),
        (struct.pack(">8sHI", MAGIC, FORMAT, 5 << 20), "its manifest would have 5242880 bytes"),
    ],
    ids=["empty", "a zip", "a later format", "endless"],
)
def test_what_is_no_such_file_is_told_so(tmp_path, content, why):
    path = tmp_path / "a.weir"
    path.write_bytes(content)

    with pytest.raises(FileRefused, match=why):
        read_exported(path, VERIFIER)


def test_what_follows_the_version_is_refused(file):
    file.write_bytes(file.read_bytes() + b"\n")

    with pytest.raises(FileRefused, match="something follows where the version ends"):
        read_exported(file, VERIFIER)


def test_a_key_that_is_not_believed_is_named_with_the_way_to_believe_it(file):
    with pytest.raises(FileRefused, match=rf"{LEARNER.key_id}.*WEIR_SIGNING__IMPORT_PUBLIC"):
        read_exported(file, verifier_of([PEM[STRANGER.key_id]]))


def test_one_of_several_keys_is_enough(file):
    keys = [PEM[STRANGER.key_id], PEM[LEARNER.key_id]]

    assert read_exported(file, verifier_of(keys)).signer == LEARNER.key_id


def test_a_manifest_of_another_line_does_not_take_these_segments(tmp_path):
    """Two files that verify do not make a third."""
    first, _ = version_of()
    _, others = version_of({**KINDS, "model": b"another" * 50})
    path = tmp_path / "mixed.weir"
    path.write_bytes(packed(first, others))

    with pytest.raises(FileRefused, match=r"model is not what was signed|ends before|follows"):
        read_exported(path, VERIFIER)
