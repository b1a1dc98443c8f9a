"""What became of a call of digate that failed, and a copy that is made once.

Copy this file into your project, beside the code generated from the contract.
"""

import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def outcome(error):
    """Returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN.

    The error is a grpc.RpcError, or the google.rpc.Status of one copy of a bulk
    stream. An error without an outcome does not come from digate: the connection
    was lost, or a proxy failed the call. It counts as UNKNOWN.
    """
    info = _detail(error, error_details_pb2.ErrorInfo)
    return info and info.metadata.get("outcome") or "UNKNOWN"


def retry_delay(error):
    """Returns after how many seconds to try again, or None if digate named no time."""
    info = _detail(error, error_details_pb2.RetryInfo)
    return info and info.retry_delay.ToTimedelta().total_seconds()


def violations(error):
    """Returns the names of the fields whose values were refused."""
    bad = _detail(error, error_details_pb2.BadRequest)
    return [v.field for v in bad.field_violations] if bad else []


def copy_once(stub, request, timeout, metadata=None):
    """Makes one integration, however often the request has to be sent.

    The request has a request_id. Store it with your own record of the job before
    the first call, so that the job can be repeated after a crash too. While there
    is time, the call is repeated if digate names a delay, or if the result was
    lost. Raises the last error: UNKNOWN then means that a person has to look.
    """
    if not request.request_id:
        raise ValueError("a copy without a request_id must not be repeated")
    end = time.monotonic() + timeout
    pause = 0.2
    while True:
        try:
            return stub.CopyTemplate(request, timeout=end - time.monotonic(), metadata=metadata)
        except grpc.RpcError as error:
            delay = retry_delay(error)
            # ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
            if delay is None and outcome(error) == "UNKNOWN" and error.code() != grpc.StatusCode.ABORTED:
                delay, pause = pause, pause * 2
            if delay is None or time.monotonic() + delay >= end:
                raise
            time.sleep(delay)


def _detail(error, kind):
    status = rpc_status.from_call(error) if isinstance(error, grpc.RpcError) else error
    for detail in status.details if status else ():
        message = kind()
        if detail.Unpack(message):
            return message
    return None
