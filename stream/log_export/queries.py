"""What is asked of the database: which label belongs to which answer, and the file itself."""

from collections.abc import Sequence
from pathlib import Path

from stream.log_export.columns import FeatureColumn
from stream.log_export.database import quoted, text
from stream.log_export.target import Form

# Of each id the first answer and the first label: the one of the lowest offset of its partition,
# and of several partitions the earliest. Ids that nobody was answered under are left out at once.
MATCH = """
CREATE TABLE matches AS
WITH by_partition AS (
    SELECT prediction_id, topic, "partition",
           min({'offset': "offset", 'logged_at': logged_at}) AS first
    FROM answers GROUP BY prediction_id, topic, "partition"
), answered AS (
    SELECT prediction_id,
           min({'logged_at': first.logged_at, 'topic': topic, 'partition': "partition",
                'offset': first."offset"}) AS place
    FROM by_partition GROUP BY prediction_id
), labels_by_partition AS (
    SELECT id, topic, "partition",
           min({'offset': "offset", 'label_at': label_at, 'label': label}) AS first
    FROM labels SEMI JOIN answered ON id = prediction_id GROUP BY id, topic, "partition"
), labelled AS (
    SELECT id,
           min({'label_at': first.label_at, 'topic': topic, 'partition': "partition",
                'label': first.label}) AS first
    FROM labels_by_partition GROUP BY id
)
SELECT place.topic AS topic, place."partition" AS "partition", place."offset" AS "offset",
       first.label AS label, first.label_at AS label_at
FROM answered JOIN labelled ON prediction_id = id
"""
_AS_THEY_ARE = ("prediction_id", "model", "version", "version_id", "learned")
_OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}",
    "csv": "FORMAT csv, HEADER true",
    "csv.gz": "FORMAT csv, HEADER true, COMPRESSION gzip",
    "ndjson": "FORMAT json",
}


def export_query(
    path: Path, form: Form, features: Sequence[FeatureColumn], *, group_rows: int
) -> str:
    """Writes the file: every answer in the order of time, with its label where one came.

    Args:
        group_rows: Rows that are compressed together in a Parquet file.
    """
    places = [*_AS_THEY_ARE, "predicted_at", "prediction", "prediction_number"]
    named = [(_column(place, form), place) for place in places]
    named += [(_json(place, form), place) for place in ("probabilities", "features")]
    named += [(f"a.{quoted(each.place)}", each.column) for each in features]
    named += [("a.key", "key"), ("m.label", "label"), (_time("m.label_at", form), "label_at")]
    named += [(f"a.{quoted(place)}", place) for place in ("topic", "partition", "offset")]
    selected = ",\n       ".join(f"{sql} AS {quoted(column)}" for sql, column in named)
    return (
        f"COPY (SELECT {selected}\n"
        'FROM answers a LEFT JOIN matches m USING (topic, "partition", "offset")\n'
        'ORDER BY a.predicted_at, a."partition", a."offset")\n'
        f"TO {text(path)} ({_OPTIONS[form].format(rows=group_rows)})"
    )


def _column(place: str, form: Form) -> str:
    sql = f"a.{quoted(place)}"
    return _time(sql, form) if place == "predicted_at" else sql


def _time(sql: str, form: Form) -> str:
    """Milliseconds as a time in UTC; RFC 3339 where all is text."""
    moment = f"make_timestamp_ms({sql})"
    if form == "parquet":
        return f"{moment}::TIMESTAMP_MS"
    return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%gZ')"


def _json(place: str, form: Form) -> str:
    """JSON within JSON is no text there, unless it is none by the rules of DuckDB."""
    sql = f"a.{quoted(place)}"
    return f"coalesce(TRY_CAST({sql} AS JSON), to_json({sql}))" if form == "ndjson" else sql
