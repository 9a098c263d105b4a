"""Keeps what the system says of itself during a test: one JSON line a second, from the stream that the operations page reads."""

import json
import os
import time

import gevent
import requests

FILE = os.environ.get("MUSE_LOAD_RECORD", "")


def start(environment):
    """Records until the test ends, if MUSE_LOAD_RECORD names a file."""
    if FILE:
        gevent.spawn(_record, environment)


def _record(environment):
    with open(FILE, "a", encoding="utf-8") as out:
        while environment.runner.state not in ("stopping", "stopped", "cleanup"):
            try:
                with requests.get(environment.host + "/v1/ops/stream", stream=True, timeout=(5, 30)) as response:
                    response.raise_for_status()
                    for line in response.iter_lines(chunk_size=1):
                        if line.startswith(b"data:"):
                            record = {"at": time.time(), "users": environment.runner.user_count, "ops": json.loads(line[5:])}
                            out.write(json.dumps(record) + "\n")
                            out.flush()
            except requests.RequestException as error:
                out.write(json.dumps({"at": time.time(), "error": str(error)}) + "\n")
                gevent.sleep(1)
