"""A model that answers in this very process."""

from collections.abc import Sequence
from typing import Any

from learner.errors import told_of
from learner.served_model import ServedModel
from learner.values import Features, Refusal

__all__ = ["Here", "asked", "asked_many"]


class Here:
    """Answers in this process."""

    where = "this process"

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def ask(self, rows: Sequence[Features], *, is_table: bool) -> list[dict[str, Any]]:
        """An answer to each row, as `asked` gives it."""
        return asked_many(self._model, rows, is_table=is_table)

    def close(self) -> None:
        """Nothing is held."""


def asked(model: ServedModel, features: Features) -> dict[str, Any]:
    """What the API answers to these features; or, where it would not, `refused` and `detail`."""
    try:
        answer = model.predict(features)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in River's Rust is no Exception
        what = f"the model cannot answer these features: {told_of(error, features)}"
        return {"refused": "prediction_failed", "detail": what[:300]}
    if isinstance(answer, Refusal):
        return {"refused": answer.reason.value, "detail": answer.detail}
    return answer


def asked_many(
    model: ServedModel, rows: Sequence[Features], *, is_table: bool
) -> list[dict[str, Any]]:
    """The same to each row; those of a table name what is nested `outer.inner`."""
    return [asked(model, row) for row in (model.as_learned(rows) if is_table else rows)]
