"""Keeps what happens during a test, where MUSE_LOAD_RECORD names a folder.

record.jsonl    what the system says of itself, one line a second, from the stream that the operations page reads
requests.csv    every request when it ended: its name, how long it took, what was wrong
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
answers = []


def start(environment, **_):
    """Records until the test has ended."""
    if FOLDER:
        ended.clear()
        answers.clear()
        gevent.spawn(_record, environment)


def answer(name, response_time, exception, **_):
    """Takes a request that has ended."""
    if FOLDER:
        answers.append((f"{time.time():.3f}", name, f"{response_time / 1000:.4f}", exception or ""))


def finish(**_):
    """Ends it when the system has had time to say how it is after the last answer."""
    if FOLDER:
        gevent.sleep(3)
        ended.set()
        with open(os.path.join(FOLDER, "requests.csv"), "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("at", "name", "seconds", "fault"), *answers])


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
                    if "queue" in now:  # the stream begins with the last hour's points, which are not ours
                        _write(users=environment.runner.user_count, ops=now)
        except requests.RequestException as error:
            _write(error=str(error))
            gevent.sleep(1)


def _write(**line):
    with open(os.path.join(FOLDER, "record.jsonl"), "a", encoding="utf-8") as out:
        out.write(json.dumps({"at": time.time(), **line}) + "\n")
