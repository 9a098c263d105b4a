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
                        if not line.startswith(b"data:"):
                            continue
                        now = json.loads(line[5:])
                        if "queue" in now:  # the stream begins with the last hour's points, which are not ours
                            out.write(json.dumps({"at": time.time(), "users": environment.runner.user_count, "ops": now}) + "\n")
                            out.flush()
                        if environment.runner.state in ("stopping", "stopped", "cleanup"):
                            return
            except requests.RequestException as error:
                out.write(json.dumps({"at": time.time(), "error": str(error)}) + "\n")
                gevent.sleep(1)
