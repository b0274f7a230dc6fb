"""The client, against a real API: what it answers, what it tries again, what it gives up on."""

import doctest
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

import weir
from api import client_bodies
from api.client import Client, RequestError
from api.offline.errors import RowRefusedError
from tests.api.offline.frames import pd
from tests.api.running import phishing, running


def test_the_example_of_the_docstring_runs():
    """As it stands there, with an address."""
    with running() as at:
        names = {"url": at.url, "__name__": "example"}
        text = (Client.__doc__ or "").replace("# doctest: +SKIP", "")
        example = doctest.DocTestParser().get_doctest(text, names, "Client", None, None)
        result = doctest.DocTestRunner().run(example)

    assert (result.attempted, result.failed) == (2, 0)


def test_weir_exports_it():
    """And says so of what it does not have."""
    assert weir.Client is Client
    assert weir.RequestError is RequestError
    assert weir.RowRefusedError is RowRefusedError
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        _ = weir.Klient


def test_a_prediction_has_the_id_that_was_given_or_a_new_one():
    """By either its label may come."""
    features = phishing(1)[0][0]
    with running() as at, Client(at.url) as client:
        named, unnamed = (
            client.predict("phishing", features, event_id="a"),
            client.predict("phishing", features),
        )
        place = client.label("phishing", unnamed["prediction_id"], True)

    assert named["prediction_id"] == "a"
    assert named["prediction"] == unnamed["prediction"]
    assert place["topic"] == "phishing.labels"
    assert json.loads(at.publisher.records[-1][2])["id"] == unnamed["prediction_id"]


def test_many_rows_are_answered_in_order_in_as_many_requests_as_it_takes(monkeypatch):
    """Each below the bytes that a request may have."""
    monkeypatch.setattr(client_bodies, "_BYTES_MAX", 5_000)
    rows = [x for x, _ in phishing(300)]
    with running() as at, Client(at.url) as client:
        found = client.predict_many("phishing", rows)
        single = [client.predict("phishing", row)["probabilities"] for row in rows[:20]]

    assert len(found) == 300
    assert [each["probabilities"] for each in found[:20]] == single


def test_a_frame_is_answered_as_its_rows_are():
    """And what is absent in it is left out, as by `weir.load`."""
    rows = [x for x, _ in phishing(20)]
    frame = pd.DataFrame(rows)
    frame.loc[3, "https"] = float("nan")
    del rows[3]["https"]
    with running() as at, Client(at.url) as client:
        found = client.predict_many("phishing", frame)
        expected = client.predict_many("phishing", rows)

    assert [each["probabilities"] for each in found] == [each["probabilities"] for each in expected]


def test_values_of_numpy_are_taken_and_what_is_no_value_is_told_by_its_feature():
    """Before anything is sent; also of an event."""
    with running() as at, Client(at.url) as client:
        numbers = {"https": np.float64(1.0), "age_of_domain": np.int64(1)}
        assert client.predict("phishing", numbers)["learned"] == 200
        for value, told in (
            (float("nan"), "feature 'https' is nan: no number; leave out what is absent"),
            (np.float32("nan"), "feature 'https' is nan: no number"),
            (np.array([1, 2]), "feature 'https' is a ndarray: a number, a text or a bool is taken"),
        ):
            with pytest.raises(RowRefusedError, match=told):
                client.predict("phishing", {"https": value})
            with pytest.raises(RowRefusedError, match=f"row 1: .*{told}"):
                client.predict_many("phishing", [{"https": 1.0}, {"https": value}])
            with pytest.raises(RowRefusedError, match=told):
                client.send("phishing", [{"features": {"https": value}, "label": True}])

    assert not at.publisher.records


def test_threads_share_a_client_and_no_connection():
    """Each gets the answers to its own questions."""
    rows = [x for x, _ in phishing(40)]
    with running() as at, Client(at.url) as client, ThreadPoolExecutor(8) as pool:
        names = [f"q-{n}" for n in range(len(rows))]
        found = pool.map(lambda n, x: client.predict("phishing", x, event_id=n), names, rows)
        expected = client.predict_many("phishing", rows)

        assert [(each["prediction_id"], each["probabilities"]) for each in found] == [
            (name, each["probabilities"]) for name, each in zip(names, expected, strict=True)
        ]


def test_events_without_an_id_get_one():
    """So that one that was sent twice is learned once."""
    events = [{"features": x, "label": y} for x, y in phishing(3)]
    with running() as at, Client(at.url) as client:
        given = [{**events[0], "id": "mine"}, {**events[1], "id": None}, events[2]]
        places = client.send("phishing", given)

    sent = [json.loads(value)["id"] for _, _, value in at.publisher.records]
    assert [each["id"] for each in places] == sent
    assert sent[0] == "mine"
    assert len(set(sent)) == 3


def test_a_refusal_is_told_at_once_with_code_and_field():
    """There is nothing to try again."""
    with running() as at, Client(at.url) as client:
        with pytest.raises(RequestError, match="tried 1 times") as caught:
            client.predict("phishing", {"https": 1e300})
        with pytest.raises(RequestError) as unknown:
            client.status("fishing")

    assert (caught.value.status, caught.value.code) == (422, "out_of_bounds")
    assert caught.value.errors[0]["pointer"] == "/features/https"
    assert (unknown.value.status, unknown.value.code) == (404, "not_found")


class Flaky(BaseHTTPRequestHandler):
    """Fails as often as it is told to, each time in another way, then answers."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """A connection that breaks, a proxy's page, then the answer."""
        body = self.rfile.read(int(self.headers["content-length"]))
        asked = self.server.asked
        asked.append((self.headers.get("authorization"), json.loads(body)))
        if len(asked) == 1:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        text = b"<p>later</p>" if len(asked) == 2 else b'{"prediction": true}'
        self.send_response(503 if len(asked) == 2 else 200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def flaky():
    server = HTTPServer(("127.0.0.1", 0), Flaky)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_fails_on_the_way_is_tried_again_with_the_same_id(flaky):
    """A connection that breaks may have brought the question there."""
    with Client(f"http://127.0.0.1:{flaky.server_port}", key="app.secret") as client:
        assert client.predict("m", {"a": 1})["prediction"] is True

    assert len(flaky.asked) == 3
    assert {key for key, _ in flaky.asked} == {"Bearer app.secret"}
    assert len({body["id"] for _, body in flaky.asked}) == 1


def test_it_gives_up_when_the_time_is_over():
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    started = time.monotonic()
    client = Client(f"http://127.0.0.1:{port}", timeout_s=1.0)
    with pytest.raises(RequestError, match="no answer: ConnectionRefusedError") as caught:
        client.status("m")

    assert caught.value.status is None
    assert time.monotonic() - started < 2


class Stranger(BaseHTTPRequestHandler):
    """Answers 200, and is no API of Weir's."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<p>hello</p>")

    def log_message(self, *_):
        """Nothing."""


def test_what_is_not_weirs_is_no_answer():
    """Whatever its status says."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with (
            Client(f"http://127.0.0.1:{server.server_port}") as client,
            pytest.raises(RequestError, match="not Weir's: <p>hello</p>") as caught,
        ):
            client.status("m")
        thread.join()

    assert caught.value.status == 200


def test_a_key_that_no_header_can_carry_is_refused_when_it_is_given():
    with pytest.raises(ValueError, match=r"a key is ID\.SECRET"):
        Client("http://127.0.0.1:8000", key="ключ")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host:99999", "http://host:x"]
)
def test_what_is_no_address_is_refused_when_it_is_given(url):
    with pytest.raises(ValueError, match="is no address such as"):
        Client(url)
