"""Records a test, if MUSE_LOAD_RECORD names a folder.

record.jsonl    the state of the system, one line a second, from the event stream of the operations page
requests.csv    every request when it ended: its name, duration and error
"""

import csv
import json
import os
import time

import gevent
import gevent.event
import requests

FOLDER = os.environ.get("MUSE_LOAD_RECORD", "")
ended = gevent.event.Event()
ended_requests = []


def start(environment, **_):
    """Records until the test has ended."""
    if FOLDER:
        ended.clear()
        ended_requests.clear()
        gevent.spawn(_record, environment)


def request_ended(name, response_time, exception, **_):
    """Records a request that has ended."""
    if FOLDER:
        ended_requests.append((f"{time.time():.3f}", name, f"{response_time / 1000:.4f}", exception or ""))


def finish(**_):
    """Ends the recording, 3 s after the last response, so that the last state of the system is recorded."""
    if FOLDER:
        gevent.sleep(3)
        ended.set()
        with open(os.path.join(FOLDER, "requests.csv"), "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("at", "name", "seconds", "fault"), *ended_requests])


def _record(environment):
    while not ended.is_set():
        try:
            with requests.get(environment.host + "/v1/ops/stream", stream=True, timeout=(5, 30)) as response:
                response.raise_for_status()
                for line in response.iter_lines(chunk_size=1):
                    if ended.is_set():
                        return
                    if not line.startswith(b"data:"):
                        continue
                    now = json.loads(line[5:])
                    if "queue" in now:  # not the points of the last hour, with which the stream begins
                        _write(users=environment.runner.user_count, ops=now)
        except requests.RequestException as error:
            _write(error=str(error))
            gevent.sleep(1)


def _write(**line):
    with open(os.path.join(FOLDER, "record.jsonl"), "a", encoding="utf-8") as out:
        out.write(json.dumps({"at": time.time(), **line}) + "\n")
