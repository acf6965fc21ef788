"""The websocket itself: who may connect, what is answered, how it ends (4.1)."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from holdfast.protocol.tokens import sign_worker_token
from support.platform import FrameWorker, Served
from support.waiting import eventually


@pytest.mark.parametrize("secret", ["wrong", ""])
def test_a_worker_with_another_secret_is_refused_with_words(shared: Served, secret: str) -> None:
    token = sign_worker_token(secret, "w", int(time.time())) if secret else ""
    with (
        pytest.raises(InvalidStatus) as raised,
        connect(f"{shared.worker_url}/websocket?token={token}"),
    ):
        pass
    assert raised.value.response.status_code == 401
    assert b"WORKER_SECRET" in (raised.value.response.body or b"")


def test_a_heartbeat_is_answered_at_once(shared: Served) -> None:
    with shared.worker() as worker:
        worker.socket.send('[null,"40","phoenix","heartbeat",{}]')
        answer = json.loads(worker.socket.recv(timeout=5))
    assert answer == [None, "40", "phoenix", "phx_reply", {"status": "ok", "response": {}}]


def test_unknown_topics_are_answered(shared: Served) -> None:
    with shared.worker() as worker:
        assert worker.push("lobby", "phx_join", {})["response"] == {"reason": "unmatched topic"}
        assert worker.push("worker:queue", "claim", {})["response"] == {
            "reason": "unmatched topic"
        }
        worker.join_queue()
        assert worker.push("worker:queue", "dance", {})["response"] == {"reason": "unknown event"}


@pytest.mark.parametrize("text", ["nonsense", "[1,2,3]", '{"a":1}', '["1","1",2,"x",{}]'])
def test_a_frame_that_is_none_closes_but_never_with_1000(shared: Served, text: str) -> None:
    """A stock worker stays away for good after 1000 (W17)."""
    with shared.worker() as worker:
        worker.socket.send(text)
        with pytest.raises(ConnectionClosed) as raised:
            worker.socket.recv(timeout=5)
    assert raised.value.rcvd is not None
    assert raised.value.rcvd.code not in {1000, 1005}


def test_a_burst_of_join_leave_join_ends_joined(served: Served) -> None:
    """What the stock worker does on every reconnect (`docs/spec/worker-protocol.md` 1.4)."""
    served.post()
    with served.worker() as worker:
        refs = [
            worker.send("worker:queue", "phx_join", {"capacity": 1}),
            worker.send("worker:queue", "phx_leave", {}),
            worker.send("worker:queue", "phx_join", {"capacity": 1}),
        ]
        assert [worker.reply(ref)["status"] for ref in refs[1:]] == ["ok", "ok"]
        assert len(worker.claim()) == 1


def test_workers_are_woken_when_there_is_work(served: Served) -> None:
    with served.worker() as worker:
        worker.join_queue()
        served.post()
        frame = worker.wait_for_push("work-available")
        assert frame == [worker._joins["worker:queue"], None, "worker:queue", "work-available", {}]


def test_a_full_worker_is_not_woken(served: Served) -> None:
    with served.worker("full") as full, served.worker("free") as free:
        full.join_queue(capacity=1)
        served.post()
        full.wait_for_push("work-available")
        (run,) = full.claim()
        full.join_run(run)
        free.join_queue(capacity=1)
        served.post()
        free.wait_for_push("work-available")
        full.push("phoenix", "heartbeat", {})
        assert [frame for frame in full.pushes if frame[3] == "work-available"] == []


def test_connected_workers_are_listed_and_remembered(served: Served) -> None:
    with served.worker("w-1", worker_version="1.25.0") as worker:
        talk_free = served.client.get("/api/workers").json()["data"]
        assert talk_free == []
        worker.push("worker:queue", "phx_join", {"capacity": 7, "queues": {"manual>*": 7}})
        run_id = served.post()
        (run,) = worker.claim()
        worker.join_run(run)
        (shown,) = served.client.get("/api/workers").json()["data"]
        assert shown["connected"] is True
        assert (shown["capacity"], shown["queues"]) == (7, {"manual>*": 7})
        assert (shown["version"], shown["active_runs"]) == ("1.25.0", [run_id])
        assert shown["vitals"] is None
        page = served.client.get("/workers").text
        assert "It tells nothing of itself" in page
        told = {"isolation": "<b>", "undelivered": 2, "oldest_undelivered_seconds": 75}
        assert worker.push("worker:queue", "worker:vitals", told)["response"] == {}
        assert worker.push("worker:queue", "worker:vitals", [])["status"] == "error"
        (shown,) = served.client.get("/api/workers").json()["data"]
        assert (shown["vitals"]["undelivered"], shown["vitals"]["node"]) == (2, None)
        page = served.client.get("/workers").text
        assert "&lt;b&gt;" in page
        assert "a run that has ended, for 1 min 15 s" in page

    def gone() -> bool:
        (found,) = served.client.get("/api/workers").json()["data"]
        assert found["connected"] or found["vitals"] is None
        return found["connected"] is False and found["disconnected_at"] is not None

    eventually(gone, "the worker is shown as gone")


def test_large_documents_go_both_ways(served: Served) -> None:
    """Output is JSON in JSON: every quote doubles, so 9.9 MB become nearly 20 (kit#1504)."""
    run_id = served.post({"big": "x" * 9_900_000})
    with served.worker() as worker:
        talk = worker.take()
        clip = json.loads(talk.ok("fetch:dataclip", {}))
        assert len(clip["data"]["big"]) == 9_900_000
        talk.start()
        step = talk.start_step()
        text = json.dumps({"data": '"' * 4_900_000})
        end = talk.step_end(step, output_dataclip=text)
        talk.ok("step:complete", end)
        talk.complete(final_dataclip_id=end["output_dataclip_id"])
    assert served.run(run_id)["state"] == "success"


def test_a_frame_above_the_limit_closes_but_never_with_1000(shared: Served) -> None:
    frame = json.dumps([None, "1", "phoenix", "x", "y" * (32 * 1024 * 1024)])

    def send(worker: FrameWorker) -> None:
        worker.socket.send(frame)
        worker.socket.recv(timeout=20)

    with shared.worker() as worker:
        with pytest.raises(ConnectionClosed) as raised:
            send(worker)
        assert raised.value.rcvd is None or raised.value.rcvd.code == 1009
    assert shared.client.get("/ready").status_code == 200


def test_a_worker_that_is_frozen_is_noticed(data: Path) -> None:
    """Its socket stays open and says nothing: pings find out."""
    with Served(data, ping_seconds=0.1, pong_seconds=0.3) as served:
        token = sign_worker_token(served.platform.keys.worker_secret, "frozen", 1)
        port = int(served.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(
                f"GET /worker/websocket?token={token} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                "upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n"
                "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert raw.recv(12) == b"HTTP/1.1 101"
            eventually(lambda: served.platform.workers.is_connected("frozen"), "it is there")
            eventually(lambda: not served.platform.workers.is_connected("frozen"), "it is gone")


def test_stopping_closes_workers_so_that_they_come_back(data: Path) -> None:
    with Served(data) as served, served.worker() as worker:
        worker.join_queue()
        codes: list[int] = []

        def listen() -> None:
            try:
                worker.socket.recv(timeout=20)
            except ConnectionClosed as error:
                codes.append(error.rcvd.code if error.rcvd else 1006)

        thread = threading.Thread(target=listen)
        thread.start()
        served.stop()
        thread.join(20)
    assert codes == [1012]
