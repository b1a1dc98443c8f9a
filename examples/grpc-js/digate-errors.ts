// What became of a call of digate that failed, and a copy that is made once.
//
// Copy this file and contract.ts into your project, beside the generated types.

import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { MessageTypeDefinition } from "@grpc/proto-loader";
import { setTimeout as sleep } from "node:timers/promises";

import { contract } from "./contract.js";
import type { CopyTemplateRequest } from "./generated/diga/integration/v1/CopyTemplateRequest.js";
import type { CopyTemplateResponse__Output } from "./generated/diga/integration/v1/CopyTemplateResponse.js";
import type { IntegrationServiceClient } from "./generated/diga/integration/v1/IntegrationService.js";
import type { BadRequest__Output } from "./generated/google/rpc/BadRequest.js";
import type { ErrorInfo__Output } from "./generated/google/rpc/ErrorInfo.js";
import type { RetryInfo__Output } from "./generated/google/rpc/RetryInfo.js";
import type { Status__Output } from "./generated/google/rpc/Status.js";

/** The error of a call, or the status of one copy of a bulk stream. */
export type Failure = ServiceError | Status__Output;

/**
 * Returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN. An error
 * without an outcome does not come from digate: the connection was lost, or a proxy
 * failed the call. It counts as UNKNOWN.
 */
export function outcome(error: Failure): string {
  return detail<ErrorInfo__Output>(error, "ErrorInfo")?.metadata?.["outcome"] ?? "UNKNOWN";
}

/** Returns after how many seconds to try again, or undefined if digate named no time. */
export function retryDelay(error: Failure): number | undefined {
  const delay = detail<RetryInfo__Output>(error, "RetryInfo")?.retryDelay;
  return delay && Number(delay.seconds ?? 0) + (delay.nanos ?? 0) / 1e9;
}

/** Returns the names of the fields whose values were refused. */
export function violations(error: Failure): string[] {
  return detail<BadRequest__Output>(error, "BadRequest")?.fieldViolations?.map((v) => v.field ?? "") ?? [];
}

/**
 * Makes one integration, however often the request has to be sent. The request has a
 * requestId. Store it with your own record of the job before the first call, so that
 * the job can be repeated after a crash too. While there is time, the call is repeated
 * if digate names a delay, or if the result was lost. Throws the last error: UNKNOWN
 * then means that a person has to look.
 */
export async function copyOnce(
  client: IntegrationServiceClient,
  request: CopyTemplateRequest,
  seconds: number,
  metadata: Metadata,
): Promise<CopyTemplateResponse__Output> {
  if (!request.requestId) throw new TypeError("a copy without a requestId must not be repeated");
  const deadline = Date.now() + seconds * 1000;
  for (let pause = 0.2; ; pause *= 2) {
    try {
      return await new Promise((done, failed) =>
        client.copyTemplate(request, metadata, { deadline }, (error, response) => (response ? done(response) : failed(error))),
      );
    } catch (e) {
      const error = e as ServiceError;
      // ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
      const lost = outcome(error) === "UNKNOWN" && error.code !== status.ABORTED;
      const delay = retryDelay(error) ?? (lost ? pause : Infinity);
      if (Date.now() + delay * 1000 >= deadline) throw error;
      await sleep(delay * 1000);
    }
  }
}

// detail returns a message of google.rpc in the details of an error. grpc-js leaves the
// details of a call as bytes in its metadata.
function detail<T>(error: Failure, name: string): T | undefined {
  const bytes = "metadata" in error ? error.metadata.get("grpc-status-details-bin")[0] : undefined;
  const details = "details" in error && Array.isArray(error.details) ? error.details : bytes && read<Status__Output>("Status", bytes as Buffer).details;
  for (const any of details || []) {
    if (any.value && any.type_url?.endsWith(`/google.rpc.${name}`)) return read<T>(name, any.value);
  }
  return undefined;
}

function read<T>(name: string, bytes: Buffer): T {
  return (contract[`google.rpc.${name}`] as MessageTypeDefinition<object, object>).deserialize(bytes) as T;
}
