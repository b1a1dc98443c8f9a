"""The driver for grpcio. doc.go says what a driver does."""

import base64
import collections
import json
import os
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

COMPRESSION = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}


def load(path):
    """Returns the messages and methods of the contract."""
    files = descriptor_pb2.FileDescriptorSet()
    with open(path, "rb") as f:
        files.ParseFromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def open_channel(plan):
    options = []
    if plan.get("service_config"):
        options.append(("grpc.service_config", plan["service_config"]))
    if plan.get("keepalive_ms"):
        options += [
            ("grpc.keepalive_time_ms", plan["keepalive_ms"]),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ]
    compression = COMPRESSION.get(plan.get("compression"))
    tls = plan.get("tls")
    if not tls:
        return grpc.insecure_channel(plan["address"], options=options, compression=compression)
    pem = [tls[name].encode() if tls.get(name) else None for name in ("authorities", "key", "certificate")]
    credentials = grpc.ssl_channel_credentials(*pem)
    return grpc.secure_channel(plan["address"], credentials, options=options, compression=compression)


class Calls:
    def __init__(self, plan):
        self.pool = load(plan["descriptors"])
        self.channel = open_channel(plan)
        self.out = threading.Lock()
        self.open = []
        self.cancelled = threading.Event()

    def start(self, call):
        """Begins a call and returns it, and how to read it to its end."""
        service, name = call["method"].split("/")
        method = self.pool.FindServiceByName(service).FindMethodByName(name)
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        messages = [request.FromString(base64.b64decode(m)) for m in call["messages"]]
        serialize, parse = request.SerializeToString, response.FromString
        options = {"metadata": list(call.get("metadata", {}).items())}
        if call.get("timeout_ms"):
            options["timeout"] = call["timeout_ms"] / 1000
        path = "/" + call["method"]
        if method.client_streaming:
            stream = self.channel.stream_stream(path, serialize, parse)(iter(messages), **options)
            return stream, lambda: list(stream)
        future = self.channel.unary_unary(path, serialize, parse).future(messages[0], **options)
        return future, lambda: [future.result()]

    def run(self, index, call):
        started, finish = self.start(call)
        self.open.append(started)
        if self.cancelled.is_set():
            started.cancel()
        line = {"index": index, "code": "OK"}
        try:
            line["responses"] = [base64.b64encode(m.SerializeToString()).decode() for m in finish()]
        except grpc.FutureCancelledError:
            line["code"] = "CANCELLED"
        except grpc.RpcError as error:
            line.update(describe(error))
        if line["code"] != "CANCELLED":
            line["header"] = dict(started.initial_metadata() or ())
            line["trailer"] = dict(started.trailing_metadata() or ())
            line["trailer"].pop("grpc-status-details-bin", None)
        with self.out:
            print(json.dumps(line), flush=True)

    def cancel(self):
        """Cancels the calls under way at the end of the standard input."""
        while os.read(0, 1):
            pass
        self.cancelled.set()
        for started in list(self.open):
            started.cancel()

    def load(self, call, workers, milliseconds):
        """Repeats a call for a while and counts how the calls end."""
        ends = collections.Counter()
        until = time.monotonic() + milliseconds / 1000

        def work():
            while time.monotonic() < until:
                try:
                    self.start(call)[1]()
                    end = "OK"
                except grpc.RpcError as error:
                    described = describe(error)
                    end = described["code"] + " "
                    end += described.get("reason") or "without ErrorInfo: " + described["message"]
                with self.out:
                    ends[end] += 1

        threads = [threading.Thread(target=work) for _ in range(workers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        print(json.dumps({"ends": ends}), flush=True)


def describe(error):
    described = {"code": error.code().name, "message": error.details() or ""}
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            described.update(reason=info.reason, domain=info.domain, info=dict(info.metadata))
        elif detail.Unpack(bad):
            described["violations"] = [v.field for v in bad.field_violations]
    return described


def main():
    with open(sys.argv[1]) as f:
        plan = json.load(f)
    calls = Calls(plan)
    if plan.get("load"):
        calls.load(plan["calls"][0], plan["load"]["workers"], plan["load"]["ms"])
        return
    if plan.get("warm"):
        calls.start(plan["warm"])[1]()
    threading.Thread(target=calls.cancel, daemon=True).start()
    threads = [threading.Thread(target=calls.run, args=(i, c)) for i, c in enumerate(plan["calls"])]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


main()
