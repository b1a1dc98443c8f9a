// What the drivers of Connect's libraries have in common, for Node and in a browser.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

export const registryOf = (descriptors) => createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));

// caller returns a function that makes a call over the transport and returns how it ended.
export const caller = (registry, transport, base64) => async (call, cancel, messages) => {
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
    const request = method.methodKind === "server_streaming" ? requests[0] : each(requests);
    if (method.methodKind === "unary") keep(await client[method.localName](requests[0], options));
    else for await (const m of client[method.localName](request, options)) keep(m);
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
