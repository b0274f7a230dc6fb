"""Values that came from records as bytes: MessagePack, which keeps each one's type to the bit.

MessagePack's integers have 64 bits, and those of a record have no bound: larger ones go as text.
"""

from typing import Any

import msgspec

_BIG = 1

_encode = msgspec.msgpack.Encoder().encode


def packed(value: Any) -> bytes:
    """The bytes of plain values, lists and dicts of them.

    >>> unpacked(packed([1, 1.0, True, {"n": -(2**70)}]))
    [1, 1.0, True, {'n': -1180591620717411303424}]
    """
    try:
        return _encode(value)
    except OverflowError:
        return _encode(_boxed(value))


def _boxed(value: Any) -> Any:
    """The same, each integer that MessagePack does not have as its text."""
    if type(value) is int and not -(1 << 63) <= value < 1 << 64:
        return msgspec.msgpack.Ext(_BIG, hex(value).encode())
    if type(value) is dict:
        return {key: _boxed(each) for key, each in value.items()}
    return [_boxed(each) for each in value] if type(value) in {list, tuple} else value


def _number(code: int, text: memoryview) -> int:
    assert code == _BIG, f"no such value: {code}"
    return int(bytes(text), 16)


unpacked = msgspec.msgpack.Decoder(ext_hook=_number).decode
