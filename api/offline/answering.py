"""The process beside the caller's: it loads a file as a learner's process would, and answers.

Started by `beside.py` with the environment that every process of ours has which loads a model. Its
one argument is the socket to its caller; when that is closed, it ends.

    python -m api.offline.answering FD
"""

import signal
import socket
import sys
from pathlib import Path

import msgspec

from api.offline.here import asked_many
from api.offline.messages import LoadedFile, LoadFile, RowsAsked, channel_of
from api.offline.opened import opened_here
from checkpoints.exporting.believed import verifier_of
from checkpoints.exporting.container import read_exported
from config.processes.channel import Channel, ChannelClosedError
from learner.served_model import ServedModel

_LOOK_S = 3600.0  # it is woken by what comes

_decode = msgspec.json.Decoder(RowsAsked).decode
_encode = msgspec.json.Encoder().encode


def main() -> None:
    """Load, then answer until the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a notebook ends the cell, not us
    channel = channel_of(socket.socket(fileno=int(sys.argv[1])))
    try:
        model = _loaded(channel)
        while model is not None:
            channel.send(_answers(model, _received(channel)))
    except ChannelClosedError:
        return


def _received(channel: Channel[bytes]) -> bytes:
    """The next message; the caller sends none before the last is answered."""
    while True:
        for message in channel.receive(timeout_s=_LOOK_S):
            return message


def _loaded(channel: Channel[bytes]) -> ServedModel | None:
    order = msgspec.json.decode(_received(channel), type=LoadFile)
    try:
        exported = read_exported(Path(order.file), verifier_of(order.keys))
        model = opened_here(exported, order.trust)
    except Exception as error:  # the caller raises it again, and we end
        channel.send(_encode(LoadedFile(problem=f"{type(error).__name__}: {error}")))
        return None
    channel.send(_encode(LoadedFile(id=exported.version.id)))
    return model


def _answers(model: ServedModel, message: bytes) -> bytes:
    question = _decode(message)
    return _encode(asked_many(model, question.rows, is_table=question.is_table))


if __name__ == "__main__":
    main()
