"""Copies templates through digate's REST side, and shows what became of each call."""

import json
import os
import uuid

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from digate_rest import copy_once, outcome, retry_delay, violations

URL = os.environ.get("DIGATE_URL", "http://127.0.0.1:8080")

TEMPLATE = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

# Copying these goes wrong on purpose in `digate dev`.
MISSING = "99999999-9999-4999-8999-999999999999"
RATE_LIMITED = "00000000-0000-4000-8000-000000000429"
NO_RESPONSE = "00000000-0000-4000-8000-000000000601"
RESPONSE_LOST = "00000000-0000-4000-8000-000000000603"
BUSY_ONCE = "00000000-0000-4000-8000-000000000608"


def connect():
    """Returns a session: who calls, whom to trust, and what is repeated.

    Over TLS, DIGATE_CA_FILE names the authority to trust. With a certificate of its
    own, a client needs no token where digate has a file of accounts.
    """
    session = requests.Session()
    session.trust_env = False  # no proxy, and no credentials of a .netrc
    if token := os.environ.get("DIGATE_TOKEN"):
        session.headers["Authorization"] = f"Bearer {token}"
    if account := os.environ.get("DIGATE_ACCOUNT"):
        session.headers["Digate-Account"] = account
    if authorities := os.environ.get("DIGATE_CA_FILE"):
        session.verify = authorities
    if certificate := os.environ.get("DIGATE_CERT_FILE"):
        session.cert = (certificate, os.environ["DIGATE_KEY_FILE"])
    # Reads are repeated, and never a write.
    reads = Retry(total=2, backoff_factor=0.2, allowed_methods={"GET"}, status_forcelist={502, 503, 504}, raise_on_status=False)
    session.mount(URL, HTTPAdapter(max_retries=reads))
    return session


def copy_of(name=None):
    return {"name": name, "api_key": "k-123", "variables": {"shop": "acme"}}


def copy(session, template, name=None, timeout=10.0):
    response = session.post(
        f"{URL}/v1/integration/template/{template}/copy",
        json=copy_of(name),
        headers={"Digate-Timeout": str(timeout)},
        timeout=timeout + 1,  # digate gives up first, and says what it knows
    )
    response.raise_for_status()
    return response.json()


def failure(session, template, timeout=10.0):
    """Copies a template of which the copy fails, and returns the error."""
    try:
        copy(session, template, timeout=timeout)
    except requests.RequestException as error:
        return error
    raise SystemExit(f"the copy of {template} did not fail")


def main():
    with connect() as session:
        print("copied:", copy(session, TEMPLATE, "my shop")["name"])

        print("no such template:", outcome(failure(session, MISSING)))
        error = failure(session, "x")
        print("bad template id:", outcome(error), *violations(error))
        print("no response in time:", outcome(failure(session, NO_RESPONSE, timeout=0.5)))

        request_id = str(uuid.uuid4())
        first = copy_once(session, URL, TEMPLATE, copy_of("once"), request_id, 10)
        again = copy_once(session, URL, TEMPLATE, copy_of("once"), request_id, 10)
        print("copied twice with one request id:", "one integration" if first["id"] == again["id"] else "two")

        late = copy_once(session, URL, BUSY_ONCE, copy_of("late"), str(uuid.uuid4()), 10)
        print("copied after a 503:", late["name"])
        try:
            copy_once(session, URL, RESPONSE_LOST, copy_of(), str(uuid.uuid4()), 10)
        except requests.RequestException as error:
            print("response lost:", outcome(error))

        template = session.get(f"{URL}/v1/integration/template/{TEMPLATE}", timeout=10)
        template.raise_for_status()
        print("template:", template.json()["name"])

        copies = [copy_of() | {"template_id": t, "request_id": str(uuid.uuid4())} for t in (TEMPLATE, MISSING, TEMPLATE)]
        body = "".join(json.dumps(c) + "\n" for c in copies)
        for result in lines(session.post(f"{URL}/v1/integration/template:bulkCopy", data=body, stream=True, timeout=10)):
            if "error" in result:
                print("one of the bulk copies:", result["outcome"])
            elif summary := result.get("summary"):
                print(f"bulk: {summary['done']} of {summary['total']} done")

        page = {"language": "en", "max_items": 3}
        items = list(lines(session.get(f"{URL}/v1/integration/template:stream", params=page, stream=True, timeout=10)))
        if "summary" not in items[-1]:
            raise SystemExit(f"the list was cut short: {items[-1]}")
        print("streamed:", len(items) - 1, "templates")

        error = failure(session, RATE_LIMITED)
        print(f"rate limit: {outcome(error)}, again in {retry_delay(error):.0f} s")


def lines(response):
    """Returns the objects of a response that has one on each line, as they come."""
    response.raise_for_status()
    return map(json.loads, response.iter_lines())


if __name__ == "__main__":
    main()
