"""The rows of commands: whole, and about the same commands as the signed record."""

from typing import get_args

import pytest

from checkpoints.operating.order import Order
from checkpoints.operating.verbs import FIELDS, VERBS
from checkpoints.records.control import CommandName


def test_every_command_that_can_be_signed_has_a_row():
    assert tuple(VERBS) == get_args(CommandName)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_example_of_a_row_is_an_order_with_all_that_it_needs(verb):
    assert verb.needed <= verb.example.keys() <= set(verb.fields) <= FIELDS.keys()
    assert Order(command=verb.name, **verb.example).verb is verb


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_command_that_may_change_nothing_says_so(verb):
    assert bool(verb.stood) != (verb.makes_version or verb.name in {"reset", "relearn"})


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_dry_run_of_a_command_says_what_it_would_do(verb):
    """By its row, but where the answer's figures, or the tag in it, say it."""
    assert (verb.would is None) == (verb.makes_version or verb.name == "tag")
