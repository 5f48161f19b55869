"""Whom the web page answers: other sites' pages, other machines, too much at once, and forged requests."""

import asyncio
import base64
import json
import socket
from pathlib import Path

import httpx
import load
import pytest

from featureblend.errors import FeatureblendError
from featureblend.web import guard as guard_module
from featureblend.web.guard import Guard, read_passwords, stays_here
from featureblend.web.server import serve

pytest_plugins = ["web_server"]
pytestmark = pytest.mark.extras


async def page(scope, receive, send):
    """What the guard stands before: says how many bytes came."""
    came, more = 0, True
    while more:
        message = await receive()
        came, more = came + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(came).encode()})


def ask(guard, path="/", method="GET", **options):
    async def one():
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            return await client.request(method, path, **options)

    return asyncio.run(one())


@pytest.fixture
def guard(tmp_path):
    from starlette.middleware.errors import ServerErrorMiddleware

    return Guard(ServerErrorMiddleware(page), "127.0.0.1", tmp_path)  # as all of Gradio is


def test_only_this_machines_names_are_answered(guard):
    for name, status in [
        ("127.0.0.1:7860", 200),
        ("localhost:9000", 200),  # a tunnel may end at another port
        ("[::1]:7860", 200),
        ("evil.example:7860", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.168.1.5:7860", 421),
        ("", 421),
        ("[", 421),
    ]:
        assert ask(guard, headers={"Host": name}).status_code == status


def test_in_a_network_numbers_and_its_own_name_are_answered(tmp_path):
    guard = Guard(page, "0.0.0.0", tmp_path)
    for name in ("192.168.1.5:7860", socket.gethostname(), "localhost"):
        assert ask(guard, headers={"Host": name}).status_code == 200
    assert ask(guard, headers={"Host": "evil.example"}).status_code == 421


def test_another_sites_page_is_not_answered(guard):
    for origin, status in [
        ("http://127.0.0.1:7860", 200),
        ("http://localhost:7860", 403),
        ("http://127.0.0.1:8000", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ]:
        assert ask(guard, "/gradio_api/queue/join", "POST", headers={"Origin": origin}).status_code == status


def test_another_site_may_link_to_the_page_and_no_more(guard):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(guard, headers=link).status_code == 200
    assert ask(guard, headers={**link, "Sec-Fetch-Mode": "no-cors"}).status_code == 403


def test_what_the_page_does_not_need_is_not_there(guard):
    for path in [
        "/gradio_api/file=http://example.com/a",
        "/gradio_api/file=HTTPS:/example.com/a",
        "/gradio_api/proxy=https://example.com",
        "/gradio_api/run/predict",
        "/gradio_api/call/_dropped",
        "/gradio_api/component_server",
        "/gradio_api/deep_link",
        "/monitoring",
        "/login",
    ]:
        for method in ("GET", "POST"):
            assert ask(guard, path, method).status_code == 404


def test_sizes_are_bounded_whatever_is_said(guard, monkeypatch):
    monkeypatch.setattr(guard_module, "MOST_WORDS", 10)
    monkeypatch.setattr(guard_module, "MOST_AT_ONCE", 20)

    async def in_pieces(count):
        for _ in range(count):
            yield b"abcde"

    for path, most in (("/gradio_api/queue/join", 2), ("/gradio_api/upload", 4)):
        assert ask(guard, path, "POST", content=b"abcde" * most).text == str(5 * most)
        assert ask(guard, path, "POST", content=b"abcde" * (most + 1)).status_code == 413
        assert ask(guard, path, "POST", content=in_pieces(most)).text == str(5 * most)
        assert ask(guard, path, "POST", content=in_pieces(most + 1)).status_code == 413


def test_a_request_that_never_ends_is_ended(guard, monkeypatch):
    monkeypatch.setattr(guard_module, "PATIENCE", 0.05)

    async def dripping():
        yield b"a"
        await asyncio.sleep(20)

    sent = []

    async def receive(pieces=dripping()):  # noqa: B008
        return {"type": "http.request", "body": await anext(pieces), "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": [(b"host", b"localhost")]}
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 10))
    assert sent[0]["status"] == 408
    assert not guard.open


def test_many_requests_have_to_wait(guard, monkeypatch):
    monkeypatch.setattr(guard_module, "BURST", 3.0)
    monkeypatch.setattr(guard_module, "RATE", 0.0)
    found = [ask(guard, "/gradio_api/queue/join", "POST").status_code for _ in range(4)]
    assert found == [200, 200, 200, 429]
    assert ask(guard).status_code == 200  # looking costs nothing


def test_a_full_folder_takes_no_more(guard, tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").write_bytes(bytes(100))
    monkeypatch.setattr(guard_module, "MOST_IN_FOLDER", 99)
    assert ask(guard, "/gradio_api/upload", "POST").status_code == 507
    assert ask(guard, "/gradio_api/queue/join", "POST").status_code == 200


def test_passwords(tmp_path, monkeypatch):
    (tmp_path / "who.txt").write_text("ana:a:b\n\nbén:secret\n", encoding="utf-8")
    passwords = read_passwords(tmp_path / "who.txt")
    assert passwords == {"ana": "a:b", "bén": "secret"}
    guard = Guard(page, "0.0.0.0", tmp_path, passwords)
    refused = ask(guard)
    assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")

    def status(text, path="/"):
        coded = base64.b64encode(text.encode()).decode()
        return ask(guard, path, headers={"Authorization": f"Basic {coded}"}).status_code

    assert [status(text) for text in ("ana:a:b", "bén:secret")] == [200, 200]
    assert [status(text) for text in ("ana:a", "ana:secret", "", "ana")] == [401] * 4
    assert ask(guard, headers={"Authorization": "Basic ???"}).status_code == 401
    assert status("", "/gradio_api/file=/etc/passwd") == 401
    monkeypatch.setattr(guard_module, "RATE", 0.0)
    monkeypatch.setattr(guard_module, "BURST", 2.0)
    guard.buckets.clear()
    assert [status("ana:guess") for _ in range(3)] == [401, 401, 429]
    assert status("ana:a:b") == 200


def test_what_names_no_passwords_is_refused(tmp_path):
    for text in ["ana\n", ":secret\n", "ana:\n", "\n", b"\xff"]:
        path = tmp_path / "who.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(FeatureblendError, match=r"who\.txt"):
            read_passwords(path)


def test_other_machines_are_let_in_only_on_demand(tmp_path):
    assert [stays_here(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [stays_here(host) for host in ("0.0.0.0", "::", "192.168.1.5")] == [False] * 3
    for host in ("0.0.0.0", "192.168.1.5", "::"):
        with pytest.raises(FeatureblendError, match=r"--auth FILE.*--no-auth"):
            serve(host=host)
    (tmp_path / "who.txt").write_text("ana:secret")
    with pytest.raises(FeatureblendError, match="leave one out"):
        serve(host="0.0.0.0", passwords=tmp_path / "who.txt", open_to_all=True)


def test_a_page_with_a_password_starts_and_asks_for_it(server_of, tmp_path):
    (tmp_path / "who.txt").write_text("ana:secret")
    server = server_of("--host", "0.0.0.0", "--auth", str(tmp_path / "who.txt"))
    assert httpx.get(server.address).status_code == 401
    assert httpx.get(server.address, auth=("ana", "secret")).status_code == 200
    assert httpx.get(f"{server.address}/config").status_code == 401


def test_forged_requests_to_a_running_page(server):
    """Handlers called directly: files of others, numbers for words and words for numbers. The page lives on."""
    with httpx.Client(base_url=server.address, timeout=60) as client:
        parts = load.Page(client.get("/config").json())
        drop, moved = parts.event("drop", "upload"), parts.event("weight-1", "input")
        common = parts.values(moved)

        def asked(event, data):
            number = event if isinstance(event, int) else event["id"]
            body = json.dumps({"data": data, "fn_index": number, "session_hash": "forged"})
            headers = {"Content-Type": "application/json"}
            if client.post("/gradio_api/queue/join", content=body, headers=headers).status_code != 200:
                return "refused"
            with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "forged"}) as stream:
                for line in stream.iter_lines():
                    message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                    if message.get("msg") in ("process_completed", "unexpected_error"):
                        return json.dumps(message)

        def file(path):
            return {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}

        secret = server.work / "secret.jpg"
        secret.write_bytes((load.EXAMPLES / "first.jpg").read_bytes())
        lock = next(server.temporary.glob("*/server.lock"))
        for path in (str(secret), "/etc/passwd", f"{lock.parent}/../../work/secret.jpg", "http://127.0.0.1:9/a", "\0"):
            said = asked(drop, [[file(path)], *common])
            assert '"success": false' in said or "did not work" in said, said
            assert "root:" not in said
            assert client.get(f"/gradio_api/file={path}".replace("\0", "%00")).status_code in (403, 404)
        assert secret.exists()
        secret.unlink()
        for wrong in (None, "NaN", [], {}, -1e400, "a" * 10_000):
            for place in range(1, len(common)):
                assert asked(moved, [*common[:place], wrong, *common[place + 1 :]])
        for event, data in ((10**6, []), (-1, []), (moved, []), (moved, [None] * 500), (drop, [[{}] * 50, *common])):
            assert asked(event, data)
        assert client.get("/").status_code == 200
    assert not server.log.exists()  # nothing was asked of another machine


def test_two_visitors_with_the_same_photo(server):
    """Each has a file of their own: reading one visitor's does not remove the other's."""
    photo = ("files", ("first.jpg", (load.EXAMPLES / "first.jpg").read_bytes()))
    sent = [httpx.post(f"{server.address}/gradio_api/upload", files=[photo]).json()[0] for _ in range(2)]
    assert sent[0] != sent[1]
    assert Path(sent[0]).read_bytes() == Path(sent[1]).read_bytes() == photo[1][1]


def test_several_visitors_get_their_own_pictures():
    """The short form of `make load`."""
    found = load.served(3, 3, 0.3)
    assert found["pictures"] >= 3
    assert (found["of_others"], found["failures"]) == (0, {})
    assert (found["uploads_left"], found["after_sigterm"], found["exit"]) == (0, 0, 0)
