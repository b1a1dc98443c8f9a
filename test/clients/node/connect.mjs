// The driver for @connectrpc/connect-node, with its transport for gRPC, gRPC-Web or Connect.

import { readFileSync } from "node:fs";
import zlib from "node:zlib";
import { promisify } from "node:util";
import { compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { caller, registryOf } from "./calls.mjs";
import { base64, drive } from "./driver.mjs";

const deflate = {
  name: "deflate",
  compress: promisify(zlib.deflate),
  decompress: (bytes) => promisify(zlib.inflate)(bytes),
};
const compressions = { gzip: compressionGzip, deflate };
const web = { connect: createConnectTransport, "grpc-web": createGrpcWebTransport };

drive((plan) => {
  const compression = compressions[plan.compression];
  const options = {
    baseUrl: (plan.tls ? "https://" : "http://") + plan.address,
    ...(plan.tls && { nodeOptions: { ca: plan.tls.authorities, cert: plan.tls.certificate, key: plan.tls.key } }),
    compressMinBytes: 0,
    ...(compression && { sendCompression: compression }),
    ...(plan.accept === "identity" && { acceptCompression: [] }),
    ...(plan.keepalive_ms && { pingIntervalMs: plan.keepalive_ms, pingIdleConnection: true }),
    ...(plan.protocol && { httpVersion: plan.http, useBinaryFormat: !plan.json }),
  };
  const transport = (web[plan.protocol] ?? createGrpcTransport)(options);
  return caller(registryOf(readFileSync(plan.descriptors)), transport, base64);
});
