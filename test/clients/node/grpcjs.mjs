// The driver for @grpc/grpc-js.

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { base64, drive } from "./driver.mjs";

const compressions = {
  gzip: grpc.compressionAlgorithms.gzip,
  deflate: grpc.compressionAlgorithms.deflate,
};

drive((plan) => {
  const files = ["diga/integration/v1/integration_service.proto", "google/rpc/error_details.proto"];
  const contract = loader.loadSync(files, { keepCase: true, includeDirs: plan.protos });
  const loaded = grpc.loadPackageDefinition(contract);
  const options = {};
  if (plan.service_config) options["grpc.service_config"] = plan.service_config;
  if (plan.compression) options["grpc.default_compression_algorithm"] = compressions[plan.compression];
  if (plan.keepalive_ms) {
    options["grpc.keepalive_time_ms"] = plan.keepalive_ms;
    options["grpc.keepalive_permit_without_calls"] = 1;
  }
  const credentials = plan.tls ? secure(plan.tls) : grpc.credentials.createInsecure();
  const clients = {};
  const details = detailsReader(contract);

  return (call, cancel, messages) =>
    new Promise((ended) => {
      const [service, name] = call.method.split("/");
      const Service = service.split(".").reduce((at, part) => at[part], loaded);
      const client = (clients[service] ??= new Service(plan.address, credentials, options));
      const method = Service.service[name];
      const metadata = new grpc.Metadata();
      for (const [key, value] of Object.entries(call.metadata ?? {})) metadata.set(key, value);
      const deadline = call.timeout_ms ? { deadline: Date.now() + call.timeout_ms } : {};
      const requests = messages.map((m) => method.requestDeserialize(m));
      const result = { code: "OK", responses: [], header: {}, trailer: {} };
      let failed = null;
      const keep = (response) => result.responses.push(base64(method.responseSerialize(response)));
      const fail = (error) => {
        if (error) failed = { code: grpc.status[error.code], message: error.details, ...details(error.metadata) };
      };
      let rpc;
      if (method.requestStream) {
        rpc = client[name](metadata, deadline);
        rpc.on("data", keep).on("error", fail);
        requests.forEach((r) => rpc.write(r));
        rpc.end();
      } else {
        rpc = client[name](requests[0], metadata, deadline, (error, response) => {
          fail(error);
          if (response) keep(response);
        });
      }
      cancel(() => rpc.cancel());
      rpc.on("metadata", (header) => (result.header = pairs(header)));
      rpc.on("status", (status) => {
        result.trailer = pairs(status.metadata);
        // The error is told after the status, or before it.
        setImmediate(() => ended({ ...result, ...failed }));
      });
    });
});

function secure({ authorities, certificate, key }) {
  const pem = (text) => (text ? Buffer.from(text) : null);
  return grpc.credentials.createSsl(pem(authorities), pem(key), pem(certificate));
}

// detailsReader returns a function that reads the details of a status, which
// grpc-js leaves as bytes in the metadata.
function detailsReader(contract) {
  const status = contract["google.rpc.Status"];
  const info = contract["google.rpc.ErrorInfo"];
  const bad = contract["google.rpc.BadRequest"];
  return (metadata) => {
    const [bytes] = metadata.get("grpc-status-details-bin");
    const read = {};
    for (const detail of bytes ? status.deserialize(bytes).details : []) {
      if (detail.type_url.endsWith("/google.rpc.ErrorInfo")) {
        const { reason, domain, metadata } = info.deserialize(detail.value);
        Object.assign(read, { reason, domain, info: metadata });
      } else if (detail.type_url.endsWith("/google.rpc.BadRequest")) {
        read.violations = bad.deserialize(detail.value).field_violations.map((v) => v.field);
      }
    }
    return read;
  };
}

function pairs(metadata) {
  return Object.fromEntries(Object.entries(metadata.getMap()).filter(([key]) => !key.endsWith("-bin")));
}
