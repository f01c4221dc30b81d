"""The HTTP service: the same answers as predict's, limits, errors in one form, and a process that stops as it should."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.files import to_json
from models.gate import Limits
from models.predictor import load
from models.records import Prediction
from models.serve import _parser, main
from models.service import Answer, Failure, create_app

ROOT = Path(__file__).parents[2]
TEXT = "وحید قبادی دانا، رئیس سازمان بهزیستی کشور گفت: ۴۰۰ مرکز افتتاح شد. بودجه ۲.۵ میلیون تومان است."
JSON = {"content-type": "application/json"}
LIMITS = Limits(bytes=20_000, documents=3, characters=2_000, waiting=2, seconds=0.2)


class Held:
    """A predictor that finds nothing, and waits to be let go."""

    def __init__(self):
        self.batches = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def predict(self, documents):
        documents = list(documents)
        self.batches.append([document.id for document in documents])
        self.begun.set()
        assert self.go.wait(30)
        return iter([Prediction(document.id, document.text) for document in documents])


@pytest.fixture(scope="module")
def predictor(tiny_folder):
    return load(tiny_folder, "cpu", "torch")


@pytest.fixture(scope="module")
def client(predictor):
    with TestClient(create_app(predictor, LIMITS), raise_server_exceptions=False) as client:
        yield client


@asynccontextmanager
async def opened(app):
    """A client for many callers at once in one event loop."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


def post(client, *texts):
    return client.post("/predict", json={"documents": [{"text": text} for text in texts]})


def expected(predictor, *documents):
    """The answer's bytes, from predict's own lines."""
    lines = ", ".join(to_json(prediction.to_dict()) for prediction in predictor.predict(documents))
    return f'{{"predictions": [{lines}]}}'.encode()


def failure(response):
    """Status and error of a response, whose form is checked."""
    Failure.model_validate_json(response.content, strict=True)
    error = response.json()["error"]
    return response.status_code, error["code"], error.get("field"), error["message"]


# --- answers ---


def test_the_answer_is_predicts_byte_for_byte(client, predictor):
    response = post(client, TEXT, "", "بله.")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.content == expected(predictor, TEXT, "", "بله.")
    Answer.model_validate_json(response.content, strict=True)  # what openapi.json says


def test_an_id_is_given_back(client):
    response = client.post("/predict", json={"documents": [{"text": "بله.", "id": "الف"}, {"text": "نه."}, {"text": "نه.", "id": ""}]})
    assert [prediction["id"] for prediction in response.json()["predictions"]] == ["الف", "2", ""]


def test_no_documents_no_predictions(client):
    assert post(client).json() == {"predictions": []}


def test_many_callers_get_what_each_would_alone(predictor):
    asked = [tuple(f"{TEXT} {'خبر ' * (i * k % 17)}{k}." for k in range(i % 4)) for i in range(40)]

    async def ask():
        app = create_app(predictor)
        async with opened(app) as client:
            answers = await asyncio.gather(*(post(client, *texts) for texts in asked))
            return answers, (await client.get("/metrics")).text

    answers, metrics = asyncio.run(ask())
    assert [answer.content for answer in answers] == [expected(predictor, *texts) for texts in asked]
    (batches,) = (float(line.split()[1]) for line in metrics.splitlines() if line.startswith("gozareh_batch_requests_count"))
    assert batches < len(asked)  # callers shared them


def test_callers_that_wait_are_read_together():
    held = Held()

    async def ask():
        async with opened(create_app(held)) as client:
            first = asyncio.create_task(post(client, "a"))
            await asyncio.to_thread(held.begun.wait, 30)
            others = [asyncio.create_task(post(client, "b", "c")) for _ in range(5)]
            while "gozareh_requests_in_hand 6.0" not in (await client.get("/metrics")).text:
                await asyncio.sleep(0)
            held.go.set()
            return await asyncio.gather(first, *others)

    assert [response.status_code for response in asyncio.run(ask())] == [200] * 6
    assert held.batches == [["1"], ["1", "2"] * 5]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_any_text_at_all_is_read_or_refused_in_one_line(client, predictor, text):
    response = post(client, text)
    assert response.content == expected(predictor, text)


# --- limits ---


def test_too_many_documents(client):
    assert failure(post(client, *"abcd"))[:3] == (422, "invalid", "documents")


def test_a_document_too_long(client):
    status, code, field, message = failure(post(client, "a", "ب" * 2_001))
    assert (status, code, field) == (422, "invalid", "documents.1.text")
    assert message == "2001 characters, over 2000; send the document in parts"
    assert post(client, "a", "ب" * 2_000).status_code == 200


def chunks(size):
    for _ in range(size // 1000):
        yield b" " * 1000


@pytest.mark.parametrize("body", [b" " * 20_001, chunks(21_000)], ids=["length", "chunked"])
def test_too_many_bytes(client, body):
    assert failure(client.post("/predict", content=body, headers=JSON))[:2] == (413, "too_large")


def test_as_many_bytes_as_there_may_be(client):
    body = b'{"documents": []}'
    assert client.post("/predict", content=body + b" " * (20_000 - len(body)), headers=JSON).json() == {"predictions": []}


def test_a_bad_document_fails_only_its_own_request(predictor):
    async def ask():
        limits = Limits(characters=100_000)
        async with opened(create_app(predictor, limits, wait=0.2)) as client:
            return await asyncio.gather(post(client, TEXT), post(client, "ب " * 10_001), post(client, "بله."))

    first, bad, last = asyncio.run(ask())
    assert (first.content, last.content) == (expected(predictor, TEXT), expected(predictor, "بله."))
    assert failure(bad)[:2] == (422, "invalid")
    assert "10001 words" in bad.json()["error"]["message"]


def test_where_there_is_no_room_callers_are_told_to_come_again():
    held = Held()

    async def ask():
        async with opened(create_app(held, LIMITS)) as client:
            waiting = [asyncio.create_task(post(client, "a")) for _ in range(2)]
            while "gozareh_requests_in_hand 2.0" not in (await client.get("/metrics")).text:
                await asyncio.sleep(0)
            refused, health = await post(client, "b"), await client.get("/health")
            held.go.set()
            return refused, health, await asyncio.gather(*waiting), await post(client, "c")

    refused, health, waiting, after = asyncio.run(ask())
    assert failure(refused)[:2] == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert [health.status_code, after.status_code, *(response.status_code for response in waiting)] == [200] * 4


@pytest.mark.parametrize("kind", [ZeroDivisionError, BaseException])
def test_a_fault_of_ours_is_no_traceback(kind):
    class Broken:
        def predict(self, documents):
            raise kind("secret")

    with TestClient(create_app(Broken()), raise_server_exceptions=False) as client:
        response = post(client, "a")
        assert failure(response)[:2] == (500, "internal")
        assert "secret" not in response.text
        assert 'gozareh_requests_total{status="500"} 1.0' in client.get("/metrics").text


def call(app, messages):
    """Run one POST of these ASGI messages, then of silence, through an application: what it sends."""
    sent = []

    async def run():
        async def receive():
            if messages:
                return messages.pop(0)
            return await asyncio.get_running_loop().create_future()

        async def send(message):
            sent.append(message)

        path = {"path": "/predict", "raw_path": b"/predict", "root_path": "", "query_string": b""}
        headers = [(name.encode(), value.encode()) for name, value in JSON.items()]
        await asyncio.wait_for(
            app({"type": "http", "method": "POST", "headers": headers, "http_version": "1.1", **path}, receive, send), 30
        )

    asyncio.run(run())
    return sent


def test_a_body_that_does_not_come_is_not_waited_for(predictor):
    start, body = call(create_app(predictor, LIMITS), [{"type": "http.request", "body": b"{", "more_body": True}])
    assert start["status"] == 408
    assert json.loads(body["body"])["error"]["code"] == "too_slow"


def test_a_caller_that_goes_away_is_dropped():
    held = Held()
    app = create_app(held)
    body = to_json({"documents": [{"text": "a"}]}).encode()
    start, *_ = call(app, [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}])
    assert start["status"] == 499
    held.go.set()


# --- hostile requests ---

DOCUMENT = '{"documents": [{"text": %s}]}'


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 422, None),
        (b"{", 400, None),
        (b"\xef\xbb\xbf{}", 422, "documents"),
        (b'{"documents": [{"text": "\xff"}]}', 400, None),
        (b"[" * 20_000, 400, None),
        (b'{"documents":' * 1_500, 400, None),
        (DOCUMENT % ("9" * 5_000), 400, None),
        (DOCUMENT % "NaN", 422, "documents.0.text"),
        (DOCUMENT % "-Infinity", 422, "documents.0.text"),
        (DOCUMENT % "1e999", 422, "documents.0.text"),
        (DOCUMENT % "null", 422, "documents.0.text"),
        (DOCUMENT % '["a"]', 422, "documents.0.text"),
        (DOCUMENT % r'"a\ud800"', 422, "documents.0.text"),
        (DOCUMENT % r'"a", "id": "\udfff"', 422, "documents.0.id"),
        (DOCUMENT % '"a", "id": 7', 422, "documents.0.id"),
        (DOCUMENT % '"a", "txet": "b"', 422, "documents.0.txet"),
        (DOCUMENT % r'"a", "\ud800": "b"', 422, "documents.0"),
        (r'{"documents": [], "\ud800": 1}', 422, None),
        ('{"documents": [], "%s": 1}' % ("k" * 10_000), 422, "k" * 100),
        ('{"documents": [' + "{}," * 6_000 + "{}]}", 422, "documents.0.text"),
        ('{"documents": ["a"]}', 422, "documents.0"),
        ('{"documents": {"0": {"text": "a"}}}', 422, "documents"),
        ('{"documents": "a"}', 422, "documents"),
        ('{"text": "a"}', 422, "documents"),
        ("[]", 422, None),
        ("null", 422, None),
        ("NaN", 422, None),
        ('"a"', 422, None),
    ],
)
def test_a_hostile_body_gets_an_error_of_ours(client, body, status, field):
    response = client.post("/predict", content=body, headers=JSON)
    found_status, code, found_field, message = failure(response)
    assert (found_status, code, found_field) == (status, {400: "bad_json", 422: "invalid"}[status], field)
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_what_is_not_json_is_refused(client, kind):
    response = client.post("/predict", content=DOCUMENT % '"a"', headers={"content-type": kind})
    assert failure(response)[:2] == (415, "not_json")


def test_a_character_set_is_no_hindrance(client):
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert client.post("/predict", content=DOCUMENT % '"a"', headers=headers).status_code == 200


def test_no_such_page(client):
    for path in ("/", "/predict/", "/docs", "/redoc", "/health/", "/%ff"):
        assert failure(client.get(path))[:2] == (404, "not_found")


def test_no_such_method(client):
    status, code, _, message = failure(client.get("/predict"))
    assert (status, code, message) == (405, "method_not_allowed", "GET is not taken here; use POST")
    assert failure(client.post("/health"))[:2] == (405, "method_not_allowed")


# --- health, metrics, documentation ---


def test_health(predictor):
    with TestClient(create_app(predictor)) as client:
        assert client.get("/health").json() == {"status": "ready"}
        assert client.get("/health/live").json() == {"status": "live"}
    assert failure(client.get("/health"))[:2] == (503, "unavailable")  # after its shutdown
    assert failure(post(client, "a"))[:2] == (503, "unavailable")
    assert client.get("/health/live").status_code == 200


def test_metrics_count_requests_documents_and_batches(predictor):
    with TestClient(create_app(predictor)) as client:
        post(client, "a", "b")
        client.post("/predict", content="{", headers=JSON)
        lines = client.get("/metrics").text.splitlines()
    for line in (
        'gozareh_requests_total{status="200"} 1.0',
        'gozareh_requests_total{status="400"} 1.0',
        "gozareh_documents_total 2.0",
        "gozareh_batch_requests_count 1.0",
        "gozareh_request_seconds_count 2.0",
        "gozareh_requests_in_hand 0.0",
    ):
        assert line in lines


def test_the_description_names_every_way_in_and_every_failure(client):
    description = client.get("/openapi.json").json()
    assert set(description["paths"]) == {"/predict", "/health", "/health/live", "/metrics"}
    predict = description["paths"]["/predict"]["post"]
    assert set(predict["responses"]) == {"200", "400", "408", "413", "415", "422", "500", "503"}
    failures = {json.dumps(answer["content"]) for status, answer in predict["responses"].items() if status != "200"}
    assert failures == {'{"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}'}
    assert "20000 bytes, 3 documents, 2000 characters" in description["info"]["description"]


# --- the command ---


def run(*argv, model):
    """The command as a process, once it serves: the process and its address."""
    environment = os.environ | {"PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "models.serve", "--model", str(model), "--device", "cpu", "--port", "0", *argv]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    assert line.startswith(f"serving {model} on http://127.0.0.1:"), line + process.stderr.read()
    return process, line.split()[3]


def test_a_process_told_to_stop_answers_what_it_has_and_takes_no_more(tiny_folder, predictor):
    texts = [f"{TEXT} {'خبر ' * i}" for i in range(100)]
    process, address = run("--batch-wait", "1000", model=tiny_folder)  # so that the request is in hand when the signal comes
    with process, httpx2.Client(base_url=address, timeout=60) as client:
        assert post(client, TEXT).content == expected(predictor, TEXT)
        too_large = client.post("/predict", content=b" " * 3_000_000, headers=JSON)
        assert failure(too_large)[:2] == (413, "too_large")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(post(httpx2.Client(base_url=address, timeout=60), *texts)))
        asking.start()
        while "gozareh_requests_in_hand 1.0" not in client.get("/metrics").text:
            pass
        process.send_signal(signal.SIGTERM)
        asking.join(60)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert answers[0].content == expected(predictor, *texts)
        with pytest.raises(httpx2.TransportError):
            client.get("/health")


def test_what_takes_longer_than_the_grace_is_told_so(tiny_folder):
    process, address = run("--batch-wait", "4000", "--grace", "1", model=tiny_folder)
    with process, httpx2.Client(base_url=address, timeout=60) as client:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(post(httpx2.Client(base_url=address, timeout=60), TEXT)))
        asking.start()
        while "gozareh_requests_in_hand 1.0" not in client.get("/metrics").text:
            pass
        process.send_signal(signal.SIGINT)
        asking.join(60)
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert failure(answers[0])[:2] == (503, "unavailable")


def mistake(capsys, *argv):
    """The one line of a usage error."""
    assert main(list(argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_a_port_in_use_is_one_line(capsys, tiny_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}: cannot be listened on" in mistake(capsys, "--port", port, "--model", str(tiny_folder))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model", "/no/such/folder"], "no such folder"),
        (["--host", "no-such-host.invalid"], "--host no-such-host.invalid"),
        (["--host", "127.0.0..1"], "--host 127.0.0..1: no address of this machine"),
        (["--host", "203.0.113.1"], "cannot be listened on"),
        (["--port", "70000"], "'70000' is no number within 0 and 65535"),
        (["--port", "http"], "'http' is no number within 0 and 65535"),
        (["--max-documents", "0"], "'0' is no number from 1 up"),
        (["--batch-wait", "-1"], "'-1' is no number within 0 and 60000"),
        (["--batch-wait", "nan"], "'nan' is no number within 0 and 60000"),
        (["--batch-wait", "inf"], "'inf' is no number within 0 and 60000"),
        (["--device", "tpu"], "device 'tpu'"),
        (["TEXT"], "unrecognized arguments: TEXT"),
    ],
)
def test_mistakes_are_one_line(capsys, tiny_folder, argv, message):
    assert message in mistake(capsys, "--port", "0", "--model", str(tiny_folder), *argv)


def test_a_missing_package_is_one_line(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "models.service")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "the package fastapi is not installed; pip install 'gozareh[serve]'" in mistake(capsys)


def test_it_listens_on_this_machine_alone():
    assert _parser().parse_args([]).host == "127.0.0.1"
