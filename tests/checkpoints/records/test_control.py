"""Control records with a rewind: what they serve and protect, for which heads, and signed how."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from checkpoints.records.control import Control, Pointer, Rewinding, open_control
from checkpoints.records.line import Line
from tests.checkpoints.builders import VERIFIER, a_control
from tests.effort import examples

LINE = Line("phishing")
OLD, HEAD, PINNED = (Pointer(number=n, id=f"{n}" * 64) for n in (2, 5, 4))


def rewinding(seq: int = 1, **more) -> Rewinding:
    return Rewinding(**{"seq": seq, "id": "c1", "to": OLD, "head": HEAD, **more})


def test_a_rewind_comes_back_as_it_was_ordered():
    given_ = rewinding(skip=("0:1-2", "id:a"), keeps_serving=True)
    control = a_control(LINE, command="rollback", to="v2", rewind=given_)
    assert open_control(control.envelope, VERIFIER, LINE) == control
    assert control.record.rewind == given_


def test_the_orders_that_follow_carry_it_on():
    control = a_control(LINE, command="rollback", rewind=rewinding())
    for command in ("pin", "freeze", "thaw", "tag", "unpin"):
        control = a_control(LINE, control, command=command)
        assert control.record.rewind == rewinding()


def test_an_order_from_before_there_were_rewinds_is_read_as_it_was_written():
    """It has no such field, and its signed bytes are the same as then."""
    control = a_control(LINE)
    body = msgspec.json.decode(control.envelope)["body"]
    assert "rewind" not in body
    assert open_control(control.envelope, VERIFIER, LINE).record.rewind is UNSET


@settings(max_examples=examples(200))
@given(
    seq=st.integers(1, 9),
    seen=st.integers(0, 12),
    is_pinned=st.booleans(),
    keeps=st.booleans(),
    is_anew=st.booleans(),
)
def test_what_is_served_is_the_pin_else_the_old_version_until_the_head_has_obeyed(
    seq, seen, is_pinned, keeps, is_anew
):
    """None: the head."""
    given_ = rewinding(seq, keeps_serving=keeps, to=None if is_anew else OLD)
    record = replace(a_control(LINE).record, rewind=given_, pin=PINNED if is_pinned else None)

    is_under_way = seen < seq
    assert record.rewinding(seen) == (given_ if is_under_way else None)
    old = OLD if is_under_way and not keeps and not is_anew else None
    assert record.serves(seen) == (PINNED if is_pinned else old)


def test_what_a_rewind_is_made_of_is_protected():
    """Over or not: a head may be put back by whoever has lost it."""
    record = replace(a_control(LINE).record, rewind=rewinding(), pin=PINNED, tags={"x": OLD})
    assert record.protected == {OLD.id, HEAD.id, PINNED.id}
    assert replace(record, rewind=UNSET).protected == {OLD.id, PINNED.id}
    anew = replace(record, rewind=rewinding(to=None), pin=None, tags={})
    assert anew.protected == {HEAD.id}


@pytest.mark.parametrize("field", ["to", "head", "seq", "id"])
def test_a_rewind_that_lacks_a_field_is_refused(field):
    control: Control = a_control(LINE, rewind=rewinding())
    whole = msgspec.to_builtins(control.record)
    del whole["rewind"][field]
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(whole, type(control.record))
