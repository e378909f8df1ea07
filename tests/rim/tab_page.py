"""The tab's page over the fake webui: what it asks for, from its own origin."""

import time
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.testclient import TestClient

HOST = "http://testserver"
OWN = {"Origin": HOST}
BOTH = ["one.safetensors", "two.safetensors"]


class Page:
    """The tab's page: its requests carry its origin."""

    def __init__(self, app):
        self.client = TestClient(app, base_url=HOST, raise_server_exceptions=False)

    def get(self, path, **kwargs):
        return self.client.get(path, **kwargs)

    def post(self, path, body=None, headers=OWN):
        return self.client.post(path, json=body or {}, headers=headers)

    def state(self, run):
        return self.get(f"/ohwx/api/runs/{quote(run)}").json()

    def until(self, run, *states):
        for _ in range(1000):
            found = self.state(run)
            if found["state"] in states:
                return found
            time.sleep(0.02)
        raise AssertionError(found)


def started(webui, app=None, demo=None):
    app = app or FastAPI()
    for callback in webui.started:
        callback(demo, app)
    return app


def our_routes(app):
    """Those behind the one route that leads to them."""
    (door,) = (route for route in app.routes if route.path.startswith("/ohwx"))
    return door.app.router().routes


def asked(name="run", checkpoints=BOTH, **settings):
    job = {"prompt": "photo", "seed": 7, "steps": 4, "width": 64, "height": 64, "schedule": "Karras"}
    return {"request": {"job": job, "checkpoints": checkpoints, "name": name, **settings}}
