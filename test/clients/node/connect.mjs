// The driver for @connectrpc/connect-node, with its gRPC transport.

import { readFileSync } from "node:fs";
import zlib from "node:zlib";
import { promisify } from "node:util";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { compressionGzip, createGrpcTransport } from "@connectrpc/connect-node";
import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { base64, drive } from "./driver.mjs";

const deflate = {
  name: "deflate",
  compress: promisify(zlib.deflate),
  decompress: (bytes) => promisify(zlib.inflate)(bytes),
};
const compressions = { gzip: compressionGzip, deflate };

drive((plan) => {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(plan.descriptors)));
  const compression = compressions[plan.compression];
  const transport = createGrpcTransport({
    baseUrl: (plan.tls ? "https://" : "http://") + plan.address,
    ...(plan.tls && { nodeOptions: { ca: plan.tls.authorities, cert: plan.tls.certificate, key: plan.tls.key } }),
    compressMinBytes: 0,
    ...(compression && { sendCompression: compression }),
    ...(plan.accept === "identity" && { acceptCompression: [] }),
    ...(plan.keepalive_ms && { pingIntervalMs: plan.keepalive_ms, pingIdleConnection: true }),
  });

  return async (call, cancel, messages) => {
    const [service, name] = call.method.split("/");
    const described = registry.getService(service);
    const method = described.methods.find((m) => m.name === name);
    const client = createClient(described, transport);
    const abort = new AbortController();
    cancel(() => abort.abort());
    const result = { code: "OK", responses: [], header: {}, trailer: {} };
    const options = {
      headers: call.metadata,
      signal: abort.signal,
      timeoutMs: call.timeout_ms,
      onHeader: (h) => (result.header = pairs(h)),
      onTrailer: (t) => (result.trailer = pairs(t)),
    };
    const requests = messages.map((m) => fromBinary(method.input, m));
    const keep = (m) => result.responses.push(base64(toBinary(method.output, m)));
    try {
      if (method.methodKind === "unary") keep(await client[method.localName](requests[0], options));
      else for await (const m of client[method.localName](each(requests), options)) keep(m);
    } catch (e) {
      const error = ConnectError.from(e);
      result.code = codeName(error.code);
      result.message = error.rawMessage;
      const [info] = error.findDetails(registry.getMessage("google.rpc.ErrorInfo"));
      if (info) Object.assign(result, { reason: info.reason, domain: info.domain, info: info.metadata });
      const [bad] = error.findDetails(registry.getMessage("google.rpc.BadRequest"));
      if (bad) result.violations = bad.fieldViolations.map((v) => v.field);
    }
    return result;
  };
});

async function* each(messages) {
  yield* messages;
}

// codeName returns the name of a code as the other drivers write it.
function codeName(code) {
  return code === Code.Canceled ? "CANCELLED" : Code[code].replace(/[a-z](?=[A-Z])/g, "$&_").toUpperCase();
}

function pairs(headers) {
  const ofGRPC = /^(date|content-type|grpc-(encoding|accept-encoding|status|message))$/;
  return Object.fromEntries([...headers].filter(([key]) => !key.endsWith("-bin") && !ofGRPC.test(key)));
}
