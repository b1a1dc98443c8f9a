// The contract, as grpc-js takes it: read from the .proto files when the program starts.

import { loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

import type { ProtoGrpcType } from "./generated/integration_service.js";

// protos is where the contract for callers lies, from the directory with the compiled
// program.
const protos = fileURLToPath(new URL("../../../client/proto", import.meta.url));

// contract has the messages of google.rpc besides, which the details of errors are.
export const contract = loadSync(
  ["diga/integration/v1/integration_service.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"],
  { includeDirs: [protos], longs: Number, enums: String, oneofs: true },
);

export const { IntegrationService } = (loadPackageDefinition(contract) as unknown as ProtoGrpcType).diga.integration.v1;
