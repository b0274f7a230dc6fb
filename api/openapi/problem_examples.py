"""Problems as routes raise them, for the document: one that is true of each status.

The tests provoke those that a client can provoke, and compare.
"""

from api.http.problem import HttpProblem, field_problem, problem_of
from api.http.requests import too_large
from checkpoints.errors import Conflict, NoSuchVersion, NotFound, Unavailable


def _of(error: Exception) -> HttpProblem:
    problem = problem_of(error)
    assert problem is not None
    return problem


NOT_JSON = field_problem(
    "not_json", (), "not JSON: Expecting value: line 1 column 1 (char 0)", status=400
)
BAD_QUERY = HttpProblem(
    400, "bad_request", "the query cannot be read: Max number of fields exceeded"
)
NO_KEY = HttpProblem(401, "no_key", "send Authorization: Bearer ID.SECRET")
FOREIGN_HOST = HttpProblem(
    403, "foreign_host", "Host 'evil.example' is not this machine; list it under api.allow_hosts"
)
OTHER_SCOPE = HttpProblem(403, "not_allowed", "this key is for read, not for operate")
NO_MODEL = HttpProblem(404, "not_found", "no model 'phising' is served here, but phishing")
NO_VERSION = _of(NoSuchVersion("phishing", "v999"))
NO_CALIBRATION = _of(
    NotFound(
        "phishing v17 has no calibration",
        advice="list ECE or Brier under `metrics:` in the model file, of a classifier with "
        "probabilities; it is there with the next version",
    )
)
NO_SLICE = _of(
    NotFound(
        "phishing v17 has no scores by 'country'",
        advice="it has none; list the feature under `slices:` in the model file, it is there from "
        "the next scored event on",
    )
)
NO_IMPORTANCE = _of(
    NotFound(
        "phishing v17 has no importance of features",
        advice="write  importance: {every: 64}  in the model file, of a model of River's or of "
        "your own; it is there with the next version",
    )
)
CHANGED = _of(
    Conflict("phishing: another command has changed it since v17", advice="look, and order again")
)
TOO_LARGE = too_large(16 << 20)
NOT_JSON_MEDIA = HttpProblem(
    415, "not_json_media", "content-type is text/plain, not application/json"
)
BAD_FEATURE = field_problem(
    "wrong_type",
    ["features", "https"],
    "Expected `bool | int | float | str | object | null`, got `array`",
)
BAD_INSTANCE = field_problem(
    "wrong_type",
    ["instances", 0, "https"],
    "Expected `bool | int | float | str | object | null`, got `array`",
)
BAD_TENSOR = field_problem("bad_value", ["inputs", 0, "data"], "1 values, the shape has 2")
BAD_ROW = field_problem("bad_value", ["inputs", "port"], "1 values, others have 2")
BAD_METHOD = field_problem(
    "bad_value",
    ["method"],
    "of this kind of model there is no exact explanation; ask for leave_one_out or shapley",
)
BAD_EVENT = field_problem("wrong_type", ["ts"], "'yesterday' is no RFC 3339 time with its offset")
BAD_LABEL = field_problem("missing_field", ["id"], "it is missing")
BAD_ORDER = field_problem("missing_field", ["reason"], "it is missing")
BAD_LIMIT = field_problem("bad_value", ["limit"], "Input should be less than or equal to 1000")
BAD_VERSION = field_problem(
    "bad_value", ["version"], "String should match pattern '^v[1-9][0-9]{0,14}$'"
)
_STRANGE = "it is no query parameter that is known here"
BAD_PARAMETER = HttpProblem(
    422, "unknown_field", f"'verbose': {_STRANGE}", pointer="/verbose", message=_STRANGE
)
NOT_READY = HttpProblem(
    503, "not_ready", "phishing has no version loaded: the learner has not committed one yet"
)
NOT_ALL_READY = HttpProblem(
    503,
    "not_ready",
    "not loaded yet: phishing: the learner has not committed one yet",
    pointer="/models/phishing",
    message="the learner has not committed one yet",
)
NO_KAFKA = HttpProblem(503, "unavailable", "this API was given no Kafka to publish to")
NO_STORE = _of(Unavailable("Redis does not answer", advice="try again"))
