"""What is asked of the database: which label belongs to which answer, and the file itself."""

from collections.abc import Sequence
from pathlib import Path

from stream.log_export.columns import FeatureColumn
from stream.log_export.database import quoted, text
from stream.log_export.target import Form

# Of each id the first answer and the first label: the one of the lowest offset of its partition,
# and of several partitions the earliest. Ids that nobody was answered under are left out at once.
# Windows, for what they sort goes to disk where it is too much; what an aggregate keeps does not.
MATCH = """
CREATE TABLE matches AS
WITH begun AS (
    SELECT prediction_id, topic, "partition", "offset", logged_at FROM answers
    QUALIFY row_number() OVER (
        PARTITION BY prediction_id, topic, "partition" ORDER BY "offset") = 1
), answered AS (
    SELECT * FROM begun
    QUALIFY row_number() OVER (
        PARTITION BY prediction_id ORDER BY logged_at, topic, "partition") = 1
), wanted AS (
    FROM labels SEMI JOIN answers ON id = prediction_id
    QUALIFY row_number() OVER (PARTITION BY id, topic, "partition" ORDER BY "offset") = 1
), labelled AS (
    FROM wanted
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY label_at, topic, "partition") = 1
)
SELECT a.topic AS topic, a."partition" AS "partition", a."offset" AS "offset", label, label_at
FROM answered a JOIN labelled ON a.prediction_id = id
"""
_AS_THEY_ARE = ("prediction_id", "model", "version", "version_id", "learned")
# A row group of a Parquet file is held in memory until it is whole.
_GROUP_BYTES = 24 << 20
_OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES {group}",
    "csv": "FORMAT csv, HEADER true",
    "csv.gz": "FORMAT csv, HEADER true, COMPRESSION gzip",
    "ndjson": "FORMAT json",
}


def export_query(path: Path, form: Form, features: Sequence[FeatureColumn]) -> str:
    """Writes the file: every answer, with its label where one came."""
    places = [*_AS_THEY_ARE, "predicted_at", "prediction", "prediction_number"]
    named = [(_column(place, form), place) for place in places]
    named += [(_json(place, form), place) for place in ("probabilities", "features")]
    named += [(f"a.{quoted(each.place)}", each.column) for each in features]
    named += [("a.key", "key"), ("m.label", "label"), (_time("m.label_at", form), "label_at")]
    named += [(f"a.{quoted(place)}", place) for place in ("topic", "partition", "offset")]
    selected = ",\n       ".join(f"{sql} AS {quoted(column)}" for sql, column in named)
    return (
        f"COPY (SELECT {selected}\n"
        'FROM answers a LEFT JOIN matches m USING (topic, "partition", "offset"))\n'
        f"TO {text(path)} ({_OPTIONS[form].format(group=_GROUP_BYTES)})"
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
