"""From a file to a model that answers, in somebody else's process."""

from collections.abc import Sequence
from pathlib import Path

from api.offline.beside import Beside
from api.offline.errors import NotFitHereError
from api.offline.fitting import fitting
from api.offline.messages import LoadFile
from api.offline.model import Answerer, OfflineModel
from checkpoints.exporting.believed import believed_here, verifier_of
from checkpoints.exporting.container import ExportedVersion, read_exported
from checkpoints.opening import signing_of
from checkpoints.records.signing import Verifier, public_pem
from config.dev_file import with_dev_servers
from config.processes.alike import is_alike
from config.settings import load_settings

__all__ = ["load"]


def load(
    file: str | Path,
    *,
    public_key: str | Path | Sequence[str | Path] | None = None,
    trust: Sequence[str] = (),
) -> OfflineModel:
    """The version in a file that `weir export` wrote; it needs no server.

    Args:
        file: Where it is.
        public_key: Of whoever signed it: a PEM file or its text, or several; None: those that the
            environment and `weir.yaml` name, or a `weir dev` in this folder has.
        trust: Packages whose classes may be loaded, for a learner of one's own.

    Raises:
        FileRefused: It is no such file, was changed, or is signed by nobody who is believed.
        KeyProblem: No key is known.
        NotFitHereError: It was learned with software that is not here.
        FileNotFoundError: There is no such file.
    """
    path, packages = Path(file), tuple(trust)
    verifier = _verifier(public_key)
    exported = read_exported(path, verifier)
    model_file = fitting(exported, packages)
    is_own_arithmetic = model_file.learner.vw is not None  # nothing of Python decides its answers
    if is_own_arithmetic or is_alike():
        return OfflineModel(exported, _here(exported, packages))
    key = public_pem(verifier.key(exported.signer)).decode()
    order = LoadFile(file=str(path.absolute()), keys=(key,), trust=packages)
    return OfflineModel(exported, Beside(order, exported.version.id))


def _verifier(public_key: str | Path | Sequence[str | Path] | None) -> Verifier:
    if public_key is None:
        return believed_here(signing_of(with_dev_servers(load_settings())))
    keys = [public_key] if isinstance(public_key, str | Path) else public_key
    return verifier_of(keys)


def _here(exported: ExportedVersion, trust: tuple[str, ...]) -> Answerer:
    from api.offline.here import Here
    from api.offline.opened import opened_here
    from learner.errors import RestoreError

    try:
        return Here(opened_here(exported, trust))
    except RestoreError as error:
        raise NotFitHereError(f"{exported.file}: {error}") from error
