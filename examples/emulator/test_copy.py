"""A test of a client against the emulator of Diga, with Python's standard library alone.

Start the emulator with `digate emulator --control`, then run `python3 test_copy.py`.
"""

import json
import os
import unittest
import urllib.error
import urllib.request
import uuid

STAND_IN = os.environ.get("STAND_IN", "http://127.0.0.1:8090")


# The client under test.


class OutcomeUnknown(Exception):
    """The copy may exist: the request was sent, and no response came."""


def copy(base_url, token, template_id, body, sleep, attempts=3):
    """Copies a template. A refusal is repeated when Diga says so; a lost response never is."""
    request = urllib.request.Request(
        f"{base_url}/v1/integration/template/{template_id}/copy",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    for attempt in range(1, attempts + 1):
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                wait = error.headers.get("Retry-After")
            if wait is None or attempt == attempts:
                raise
            sleep(int(wait))
        except (urllib.error.URLError, ConnectionError) as error:
            raise OutcomeUnknown from error


# Its test.


def control(method, path, body=None):
    """Calls a control route of the emulator. A call that is not as expected raises."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{STAND_IN}/_emulator/{path}", data=data, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read() or "null")
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(error.read().decode()) from None


class CopyTest(unittest.TestCase):
    def setUp(self):
        self.token, self.template = str(uuid.uuid4()), str(uuid.uuid4())  # nothing in common with another test
        self.slept = []
        control("POST", "state", {"templates": [
            {"id": self.template, "name": "Orders", "template": {"base_url": "https://<<shop>>.example.com"}},
        ]})

    def fails(self, **rule):
        control("POST", "faults", {"faults": [{"match": {"operation": "copy_template", "token": self.token}, **rule}]})

    def sleep(self, seconds):
        self.slept.append(seconds)
        control("POST", "clock", {"advance": f"{seconds}s"})

    def copy(self):
        return copy(STAND_IN, self.token, self.template, {"name": "Mine", "variables": {"shop": "acme"}}, self.sleep)

    def test_copy_fills_in_the_variables(self):
        self.assertEqual(self.copy()["base_url"], "https://acme.example.com")
        sent = control("GET", f"calls?token={self.token}&count=1")["calls"][0]
        self.assertEqual(sent["body"], {"name": "Mine", "variables": {"shop": "acme"}})

    def test_rate_limited_copy_waits_as_long_as_told(self):
        self.fails(times=1, fault="rate-limited", **{"for": "30s"})
        self.copy()
        self.assertEqual(self.slept, [30])
        control("GET", f"calls?token={self.token}&count=2")

    def test_lost_response_is_not_repeated(self):
        self.fails(times=1, fault="reset-after-commit")
        with self.assertRaises(OutcomeUnknown):
            self.copy()
        control("GET", f"calls?token={self.token}&count=1")


if __name__ == "__main__":
    unittest.main()
