"""What is read of a model: the views of the command line, and one truth in every place."""

import math
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from checkpoints.reading import views
from checkpoints.reading.as_of import as_of_view
from checkpoints.reading.reader import LineReader
from checkpoints.reading.score_views import best_of, scored_versions_page
from checkpoints.reading.served_then import served_then
from checkpoints.records.manifest import SCORE_WINDOWS
from config.text.moments import moment_ms
from tests.api.running import KEYS, PHISHING, Running, phishing, running, until

MODEL = "/v1/models/phishing"


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    """Five versions, of 200 to 400 events."""
    with running() as found:
        for _ in range(4):
            found.learning.learn(phishing(50, start=found.learning.consumed))
            version = found.learning.commit()
        until(lambda: found.serves(version))
        yield found


def test_the_model_is_its_head(api: Running) -> None:
    body = api.get(MODEL).json()
    assert (body["name"], body["task"], body["state"]) == ("phishing", "binary", "idle")
    assert (body["version"], body["serving"], body["learned"]) == ("v5", "v5", 400)
    assert body["offsets"] == {"phishing.events": {"0": 400}}
    assert body["lag"] == 0
    assert api.get("/v1/models").json()["items"][0]["version_id"] == body["version_id"]


def test_bodies_are_those_that_the_command_line_prints(api: Running) -> None:
    line = api.learning.line
    reader = LineReader(api.store, KEYS.verifier, line)
    state = reader.state()
    serving = [state.serving.id]
    found = reader.versions(limit=101)

    listed = scored_versions_page(
        found, limit=100, control=state.control, serving=serving, best=best_of(found)
    )

    assert api.get(f"{MODEL}/versions").json() == listed
    one = views.version_view(found[2], control=state.control, serving=serving)
    assert api.get(f"{MODEL}/versions/v3").json() == one
    assert api.get(f"{MODEL}/metrics").json() == views.metrics_view(state.head.manifest)
    calibration = api.get(f"{MODEL}/calibration").json()
    assert calibration == views.calibration_view(state.head.manifest)
    assert sum(each["count"] for each in calibration["bins"]) == state.head.manifest.counts.scored
    drifts = reader.load_segments(state.head, ["drifts"])["drifts"]
    assert api.get(f"{MODEL}/drifts").json() == views.drifts_view(drifts)


def test_lists_go_on_where_they_ended(api: Running) -> None:
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        body = api.get(f"{MODEL}/versions", params=query).json()
        seen += [item["version"] for item in body["items"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert seen == ["v5", "v4", "v3", "v2", "v1"]


def test_the_version_that_served_at_a_time(api: Running) -> None:
    """As `weir show --at` has it; before the first there was none."""
    listed = api.get(f"{MODEL}/versions").json()["items"]
    third = next(item for item in listed if item["version"] == "v3")

    then = api.get(f"{MODEL}/versions", params={"at": third["created_at"]}).json()
    before = api.get(f"{MODEL}/versions?at=1970-01-01T00:00:00Z").json()

    reader = LineReader(api.store, KEYS.verifier, api.learning.line)
    found = served_then(reader, moment_ms(third["created_at"]))
    assert then == as_of_view(found, reader.state().control)
    assert then["kept"]
    assert then["items"][0]["version"] == then["version"]
    assert (before["version"], before["items"]) == (None, [])


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit="])
def test_a_limit_out_of_bounds_is_refused(api: Running, query: str) -> None:
    answer = api.get(f"{MODEL}/versions?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/limit")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/versions/v999", 404),
        ("/versions/17", 422),
        ("/versions/v0", 422),
        ("/versions/v1/payload", 404),
        ("/audit?cursor=abc", 422),
        ("/drifts?cursor=0", 422),
        ("/versions?x=%ff", 400),
        ("/versions?at=yesterday", 422),
        ("/versions?at=2026-11-20", 422),
    ],
)
def test_what_is_not_there_is_told_in_a_problem(api: Running, path: str, status: int) -> None:
    answer = api.get(f"{MODEL}{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_json_versions_and_prometheus_agree(api: Running) -> None:
    """Issue 3, Shows 7."""
    model, scores = api.get(MODEL).json(), api.get(f"{MODEL}/metrics").json()
    newest = api.get(f"{MODEL}/versions").json()["items"][0]
    samples = {
        (sample.name, sample.labels.get("metric"), sample.labels.get("window")): sample.value
        for family in text_string_to_metric_families(api.get("/metrics").text)
        for sample in family.samples
        if sample.labels.get("model") == "phishing" and "outcome" not in sample.labels
    }

    assert newest["version"] == model["version"] == "v5"
    assert newest["learned"] == model["learned"] == 400
    assert samples["weir_model_examples_learned", None, None] == 400
    assert samples["weir_model_active_version", None, None] == 5
    assert samples["weir_model_serving_version", None, None] == 5
    assert 0 <= samples["weir_serving_staleness_seconds", None, None] < 60
    assert newest["metrics"] == model["metrics"]
    for name, windows in scores.items():
        assert windows["lifetime"] == model["metrics"][name]
        for window in SCORE_WINDOWS:
            shown, value = samples["weir_model_metric", name, window], windows[window]
            assert shown == value or (value is None and math.isnan(shown))


def test_requests_and_predictions_are_counted(api: Running) -> None:
    api.post(f"{MODEL}/predict", {"features": {}})
    api.post(f"{MODEL}/predict", {"features": {"https": 1e13}})
    api.get("/nowhere")
    text = api.get("/metrics").text
    route = 'route="/v1/models/{model}/predict",status_code="200"'
    assert f'http_server_request_duration_seconds_count{{method="POST",{route}}}' in text
    assert 'weir_predictions_total{model="phishing",outcome="refused"} 1.0' in text
    assert 'route="unmatched",status_code="404"' in text
    assert "weir_http_requests_in_progress 1.0" in text
    assert "weir_build_info{" in text


def test_without_scores_of_probabilities_there_is_no_calibration_and_how_to_have_it() -> None:
    with running(PHISHING.replace(", Brier, ECE", "")) as api:
        answer = api.get(f"{MODEL}/calibration")

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "list ECE or Brier under `metrics:`" in answer.json()["detail"]


def test_a_score_without_a_value_is_null_and_nan() -> None:
    with running(learned=0) as api:
        version = api.learning.commit()
        until(lambda: api.serves(version))
        assert api.get(f"{MODEL}/metrics").json()["Accuracy"]["lifetime"] is None
        name = "weir_model_metric{"
        assert any(
            line.split()[-1] == "NaN" and line.startswith(name)
            for line in api.get("/metrics").text.splitlines()
        )
        answer = api.post(f"{MODEL}/predict", {"features": {"https": 1.0}}).json()
        assert (answer["learned"], answer["version"]) == (0, "v1")


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("GET", f"{MODEL}/versions?limt=1", ["limt"]),
        ("GET", f"{MODEL}/versions?limit=1&from=v1&%2Fto=", ["from", "/to"]),
        ("GET", f"{MODEL}?version=v3", ["version"]),
        ("GET", "/v1/models?x", ["x"]),
        ("POST", f"{MODEL}/predict?version=v3", ["version"]),
        ("POST", f"{MODEL}/freeze?dry_run=true", ["dry_run"]),
    ],
)
def test_a_query_parameter_that_nobody_knows_is_refused(
    api: Running, method: str, path: str, names: list[str]
) -> None:
    """Named, each; passed over, it would let another question be answered."""
    body = {"features": {}} if "predict" in path else {"reason": "x"}
    answer = api.get(path) if method == "GET" else api.post(path, body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "unknown_field")
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers == ["/" + name.replace("/", "~1") for name in names]
    assert names[0] in problem["detail"]
    assert all("no query parameter" in error["message"] for error in problem["errors"])
    assert not api.get(MODEL).json()["frozen"]


def test_a_misspelt_query_parameter_gets_the_right_name(api: Running) -> None:
    message = api.get(f"{MODEL}/versions?Limits=1").json()["errors"][0]["message"]
    assert message.endswith('(did you mean "limit"?)')


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/"])
def test_probes_and_pages_take_what_balancers_add(api: Running, path: str) -> None:
    assert api.get(f"{path}?t=1").status_code == 200


def test_a_model_without_a_version_is_named_by_the_ready_probe() -> None:
    with running(learned=0) as api:
        until(lambda: api.app.served.line("phishing").state is not None)
        answer = api.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert answer.json()["errors"] == [
            {
                "pointer": "/models/phishing",
                "message": "the learner has not committed one yet",
            }
        ]


def test_scores_are_told_apart_by_slice() -> None:
    """As the head's segment has them; of a name that nothing was scored by, what there is."""
    with running(PHISHING + "slices: [https, {feature: age_of_domain, bins: [0]}]\n") as api:
        found = api.get(f"{MODEL}/metrics", params={"slice": "https"}).json()
        assert found["slice"] == "https"
        head = LineReader(api.store, KEYS.verifier, api.learning.line).state().head
        assert head is not None
        assert sum(each["scored"] for each in found["items"]) == head.manifest.counts.scored
        assert all(each["metrics"].keys() == {"Accuracy", "LogLoss", "Brier", "ECE"}
                   for each in found["items"])  # fmt: skip
        binned = api.get(f"{MODEL}/metrics", params={"slice": "age_of_domain"}).json()["items"]
        assert {each["value"] for each in binned} <= {"<0", ">=0"}

        answer = api.get(f"{MODEL}/metrics", params={"slice": "country"})
        assert answer.status_code == 404
        assert "it has https, age_of_domain" in answer.json()["detail"]
        assert api.get(f"{MODEL}/metrics", params={"slices": "https"}).status_code == 422
