"""Users of Muse, for Locust.

Two kinds, chosen by MUSE_LOAD_PROFILE:
  people  (default) pause between requests, mix sizes and steps, sometimes stream previews, sometimes disconnect;
  blog    send the next request at once, as in Lightning's measurements of Muse (2022).

Every image is checked: a whole PNG of the requested size, and not blank (a simulated device gives blank images
unless its setting says how many bytes they have).

Stages come from MUSE_LOAD_STAGES, "users@seconds" each: "60@30,300@60,1200@120". Without it, Locust's own
settings (its page, or -u and -r) decide.
"""

import base64
import http.client
import json
import os
import random
import time
import urllib.parse

import gevent
from locust import FastHttpUser, LoadTestShape, between, constant, events, task

import images
import recorder

PROFILE = os.environ.get("MUSE_LOAD_PROFILE", "people")
STAGES = os.environ.get("MUSE_LOAD_STAGES", "")
DEVICE = os.environ.get("MUSE_GPU_TYPE", "")
MAY_BE_BLANK = DEVICE.startswith("simulated") and "bytes=" not in DEVICE

PROMPTS = [
    f"a {size} {colour} {thing} {place} {background}"
    for size in ("small", "large")
    for colour in ("red", "blue", "yellow", "green", "white", "purple")
    for thing in ("star", "house", "tree", "boat", "heart", "fish", "flower", "circle")
    for place in ("in the middle", "on the left", "in the upper right corner")
    for background in ("at night", "by day", "at sunset", "on a grey background")
]


class Client(FastHttpUser):
    """What both kinds of users do."""

    abstract = True
    network_timeout = 600
    connection_timeout = 10

    def request_image(self, name, width=128, height=128, **extra):
        """Requests one image, waits for it and checks it."""
        body = {"prompt": random.choice(PROMPTS), "size": f"{width}x{height}", "response_format": "b64_json", **extra}
        with self.client.post("/v1/images/generations", json=body, name=name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"HTTP {response.status_code}: {(response.text or '')[:200]}")
                return
            self.check(response, response.json()["data"][0]["b64_json"], width, height)

    def check(self, response, image, width, height):
        """Fails the request if the image is not as requested."""
        fault = images.fault(base64.b64decode(image), width, height, MAY_BE_BLANK)
        if fault:
            response.failure(fault)

    def stream_image(self, name):
        """Requests one image with previews. The last event must be the image."""
        body = {"prompt": random.choice(PROMPTS), "size": "128x128", "stream": True, "partial_images": 2}
        with self.client.post("/v1/images/generations", json=body, name=name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"HTTP {response.status_code}: {(response.text or '')[:200]}")
                return
            data = [line[5:].strip() for line in response.text.splitlines() if line.startswith("data:")]
            sent = [json.loads(line) for line in data if line != "[DONE]"]
            if not sent or sent[-1].get("type") != "image_generation.completed":
                response.failure("the stream ended without image_generation.completed")
                return
            self.check(response, sent[-1]["b64_json"], 128, 128)

    def disconnect(self, name):
        """Sends a request and disconnects after 0.2 s, as a user who closes the page."""
        begin = time.perf_counter()
        server = urllib.parse.urlsplit(self.host)
        connection = http.client.HTTPConnection(server.hostname, server.port, timeout=10)
        fault = None
        try:
            body = json.dumps({"prompt": random.choice(PROMPTS), "steps": 50})
            connection.request("POST", "/v1/images/generations", body, {"Content-Type": "application/json"})
            gevent.sleep(0.2)
        except OSError as error:
            fault = error
        finally:
            connection.close()
        self.environment.events.request.fire(
            request_type="POST",
            name=name,
            response_time=(time.perf_counter() - begin) * 1000,
            response_length=0,
            response=None,
            context={},
            exception=fault,
        )


class Person(Client):
    """Waits 5 to 15 seconds between requests."""

    abstract = PROFILE != "people"
    wait_time = between(5, 15)

    @task(12)
    def default_image(self):
        self.request_image("image")

    @task(3)
    def few_steps(self):
        self.request_image("image, 8 steps", steps=8)

    @task(3)
    def wide_image(self):
        self.request_image("image, wide", width=160, height=96)

    @task(2)
    def previews(self):
        self.stream_image("image, streamed")

    @task(1)
    def disconnected(self):
        self.disconnect("disconnected")


class BlogUser(Client):
    """Sends the next request at once."""

    abstract = PROFILE != "blog"
    wait_time = constant(0)

    @task
    def default_image(self):
        self.request_image("image")


if STAGES:

    class Stages(LoadTestShape):
        """Holds each number of users for its time, then the next. New users start within twenty seconds."""

        stages = [(int(users), float(seconds)) for users, seconds in (stage.split("@") for stage in STAGES.split(","))]

        def tick(self):
            left = self.get_run_time()
            for users, seconds in self.stages:
                if left < seconds:
                    return users, 100 if users < self.runner.user_count else max(1, users / 20)
                left -= seconds
            return None


events.test_start.add_listener(recorder.start)
events.request.add_listener(recorder.request_ended)
events.test_stop.add_listener(recorder.finish)
