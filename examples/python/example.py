"""Copies templates through digate, and shows what became of each call."""

import os
import pathlib
import uuid

import grpc
from diga.integration.v1 import integration_service_pb2 as pb
from diga.integration.v1 import integration_service_pb2_grpc
from diga.integration.v1 import stream_pb2

from digate_errors import copy_once, outcome, retry_delay, violations

TEMPLATE = "3c90c3cc-0d44-4b50-8888-8dd25736052a"

# Copying these goes wrong on purpose in `digate dev`.
MISSING = "99999999-9999-4999-8999-999999999999"
RATE_LIMITED = "00000000-0000-4000-8000-000000000429"
NO_RESPONSE = "00000000-0000-4000-8000-000000000601"
RESPONSE_LOST = "00000000-0000-4000-8000-000000000603"
BUSY_ONCE = "00000000-0000-4000-8000-000000000608"

SERVICE_CONFIG = pathlib.Path(__file__).parent / "../../docs/service-config.json"


def connect():
    """Returns a channel: over TLS if there is an authority to trust.

    With a certificate of its own, a client needs no token where digate has a file
    of accounts.
    """
    address = os.environ.get("DIGATE_ADDR", "127.0.0.1:9090")
    # The service config repeats reads, and never a write.
    options = [("grpc.service_config", SERVICE_CONFIG.read_text())]
    if not (authorities := read("DIGATE_CA_FILE")):
        return grpc.insecure_channel(address, options)
    credentials = grpc.ssl_channel_credentials(authorities, read("DIGATE_KEY_FILE"), read("DIGATE_CERT_FILE"))
    return grpc.secure_channel(address, credentials, options)


def read(variable):
    path = os.environ.get(variable)
    return pathlib.Path(path).read_bytes() if path else None


def metadata():
    """Returns who calls: a token, and an account where the caller has several."""
    pairs = []
    if token := os.environ.get("DIGATE_TOKEN"):
        pairs.append(("authorization", f"Bearer {token}"))
    if account := os.environ.get("DIGATE_ACCOUNT"):
        pairs.append(("digate-account", account))
    return pairs


def copy_of(template, name=None, request_id=None):
    request = pb.CopyTemplateRequest(template_id=template, name=name, api_key="k-123", request_id=request_id)
    request.variables.update({"shop": "acme"})
    return request


def failure(stub, template, timeout=10.0):
    """Copies a template of which the copy fails, and returns the error."""
    try:
        stub.CopyTemplate(copy_of(template), timeout=timeout, metadata=metadata())
    except grpc.RpcError as error:
        return error
    raise SystemExit(f"the copy of {template} did not fail")


def main():
    with connect() as channel:
        stub = integration_service_pb2_grpc.IntegrationServiceStub(channel)

        copied = stub.CopyTemplate(copy_of(TEMPLATE, "my shop"), timeout=10, metadata=metadata())
        print("copied:", copied.integration.name)

        print("no such template:", outcome(failure(stub, MISSING)))
        error = failure(stub, "x")
        print("bad template id:", outcome(error), *violations(error))
        print("no response in time:", outcome(failure(stub, NO_RESPONSE, timeout=0.5)))

        once = copy_of(TEMPLATE, "once", request_id=str(uuid.uuid4()))
        first = copy_once(stub, once, 10, metadata())
        again = copy_once(stub, once, 10, metadata())
        print("copied twice with one request id:", "one integration" if first.integration.id == again.integration.id else "two")

        late = copy_once(stub, copy_of(BUSY_ONCE, "late", request_id=str(uuid.uuid4())), 10, metadata())
        print("copied after a 503:", late.integration.name)
        try:
            copy_once(stub, copy_of(RESPONSE_LOST, request_id=str(uuid.uuid4())), 10, metadata())
        except grpc.RpcError as error:
            print("response lost:", outcome(error))

        template = stub.GetTemplate(pb.GetTemplateRequest(template_id=TEMPLATE), timeout=10, metadata=metadata())
        print("template:", template.template.name)

        copies = (pb.BulkCopyTemplateRequest(copy=copy_of(t, request_id=str(uuid.uuid4()))) for t in (TEMPLATE, MISSING, TEMPLATE))
        for result in stub.BulkCopyTemplate(copies, timeout=10, metadata=metadata()):
            if result.HasField("error"):
                print("one of the bulk copies:", outcome(result.error))
            elif result.HasField("summary"):
                print(f"bulk: {result.summary.done} of {result.summary.total} done")

        templates = stub.StreamTemplates(stream_pb2.StreamTemplatesRequest(language="en", max_items=3), timeout=10, metadata=metadata())
        print("streamed:", sum(1 for _ in templates), "templates")

        error = failure(stub, RATE_LIMITED)
        print(f"rate limit: {outcome(error)}, again in {retry_delay(error):.0f} s")


if __name__ == "__main__":
    main()
