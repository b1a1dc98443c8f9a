"""What became of a REST call of digate that failed, and a copy that is made once.

Copy this file into your project. It needs requests and nothing else.
"""

import time

import requests


def outcome(error):
    """Returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN.

    The error is a requests.RequestException. An error without an outcome does not
    come from digate: the connection was lost, or a proxy failed the call. It counts
    as UNKNOWN.
    """
    return _headers(error).get("Digate-Outcome", "UNKNOWN")


def retry_delay(error):
    """Returns after how many seconds to try again, or None if digate named no time."""
    seconds = _headers(error).get("Retry-After", "")
    return float(seconds) if seconds.isdigit() else None


def violations(error):
    """Returns the names of the fields whose values were refused (422)."""
    if error.response is None or error.response.status_code != 422:
        return []
    detail = error.response.json().get("detail")
    return [v["loc"][-1] for v in detail] if isinstance(detail, list) else []


def copy_once(session, url, template_id, copy, request_id, timeout):
    """Makes one integration, however often the request has to be sent.

    Store the request id with your own record of the job before the first call, so
    that the job can be repeated after a crash too. While there is time, the call is
    repeated if digate names a delay, or if the result was lost. Raises the last
    error: UNKNOWN then means that a person has to look.
    """
    if not request_id:
        raise ValueError("a copy without a request id must not be repeated")
    end = time.monotonic() + timeout
    pause = 0.2
    while True:
        left = end - time.monotonic()
        try:
            response = session.post(
                f"{url}/v1/integration/template/{template_id}/copy",
                json=copy,
                # digate gives up first, and says what it knows.
                headers={"Idempotency-Key": request_id, "Digate-Timeout": f"{left:.3f}"},
                timeout=left + 1,
            )
            response.raise_for_status()
            return response.json()
        except requests.RequestException as error:
            delay = retry_delay(error)
            # 409 is digate's own UNKNOWN: an earlier call with this id was sent.
            if delay is None and outcome(error) == "UNKNOWN" and (error.response is None or error.response.status_code != 409):
                delay, pause = pause, pause * 2
            if delay is None or time.monotonic() + delay >= end:
                raise
            time.sleep(delay)


def _headers(error):
    # A response that is an error is false.
    return {} if error.response is None else error.response.headers
