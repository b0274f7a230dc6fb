"""What `weir.load` returns: one version that answers, and learns nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

import msgspec
from msgspec import UNSET

from api.offline.errors import RowRefusedError
from api.offline.rows import chunks_of, features_of, is_frame, with_way_out
from checkpoints.exporting.container import FORMAT, ExportedVersion
from checkpoints.reading.views import timestamp
from learner.values import Features

__all__ = ["Answerer", "OfflineModel"]


class Answerer(Protocol):
    """Whatever answers, wherever it runs."""

    where: str

    def ask(self, rows: Sequence[Features], *, is_table: bool) -> list[dict[str, Any]]:
        """An answer to each row; `refused` and `detail` where the API would give none.

        Args:
            is_table: They are a table's: what is nested is called `outer.inner`.
        """

    def close(self) -> None:
        """Nothing is asked for now."""


class OfflineModel:
    """An exported version. Made by `weir.load`.

    Args:
        exported: The version, verified.
        answers: The model, loaded.

    Attributes:
        model: Its name.
        version: As in `v17`.
        version_id: The SHA-256 of what was signed.
    """

    def __init__(self, exported: ExportedVersion, answers: Answerer) -> None:
        self._exported, self._answers = exported, answers
        manifest = exported.version.manifest
        self.model, self.version = manifest.model, manifest.name
        self.version_id = exported.version.id
        self._facts = {
            "model": self.model,
            "version": self.version,
            "version_id": self.version_id,
            "learned": manifest.counts.learned,
        }

    def __repr__(self) -> str:
        learned = self._facts["learned"]
        return f"<{self.model} {self.version} of {self._exported.file}, {learned} learned>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """What `POST …/predict` answers to these features, bit for bit; without an id and an age.

        Args:
            features: Numbers, texts, bools or None by name; one level of nesting.

        Returns:
            `prediction`, and for classes `probabilities`; `model`, `version`, `version_id`,
            `learned`.

        Raises:
            RowRefusedError: The API would answer 422.
        """
        (answer,) = self._answers.ask([features_of(features)], is_table=False)
        return self._answered(answer, None)

    def predict_many(self, rows: Any) -> list[dict[str, Any]]:
        """The same of many rows, in their order.

        Args:
            rows: A frame of pandas, where NaN means absent, or any iterable of mappings.

        Raises:
            RowRefusedError: With the number of the first row that is not answered.
        """
        return list(self._each(rows))

    def _each(self, rows: Any) -> Iterator[dict[str, Any]]:
        place = 0
        for chunk in chunks_of(rows):
            for answer in self._answers.ask(chunk, is_table=is_frame(rows)):
                if "refused" in answer:
                    answer["detail"] = with_way_out(answer["detail"], rows)
                yield self._answered(answer, place)
                place += 1

    def _answered(self, answer: dict[str, Any], row: int | None) -> dict[str, Any]:
        if "refused" in answer:
            raise RowRefusedError(answer["refused"], answer["detail"], row=row)
        return answer | self._facts

    def explain(self) -> dict[str, Any]:
        """What this is: which version, how good it was, what it learned and where, and who signed.

        Its numbers are those of the signed manifest.
        """
        manifest = self._exported.version.manifest
        plain = msgspec.to_builtins(manifest)
        sections = plain["model_file"]
        return {
            **self._facts,
            "task": sections.get("task"),
            "learner": sections.get("learner"),
            "features": sections.get("features"),
            "created_at": timestamp(manifest.created_at_ms),
            "scored": manifest.counts.scored,
            "metrics": plain["metrics"],
            "offsets": plain["offsets"],
            "lineage": {
                "kind": manifest.kind,
                "parent": manifest.parent,
                "begins": plain["begins"],
                "forgotten": manifest.counts.forgotten,
                "rollback": plain["rollback"],
                "origin": None if manifest.origin is UNSET else plain["origin"],
            },
            "software": plain["software"],
            "signer": self._exported.signer,
            "file": self._exported.file,
            "format": FORMAT,
            "answers_in": self._answers.where,
        }

    def close(self) -> None:
        """End what answers, if that is a process of its own."""
        self._answers.close()
