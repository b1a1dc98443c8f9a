// What became of a call of digate that failed, and a copy that is made once.
//
// Copy this file into your project, beside the code generated from the contract.

import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type CallOptions, type Client, Code, ConnectError } from "@connectrpc/connect";

import type { CopyTemplateRequestSchema, CopyTemplateResponse, IntegrationService } from "./generated/diga/integration/v1/integration_service_pb.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./generated/google/rpc/error_details_pb.js";
import type { Status } from "./generated/google/rpc/status_pb.js";

/** The error of a call, or the status of one copy of a bulk stream. */
export type Failure = ConnectError | Status;

/**
 * Returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN. An error
 * without an outcome does not come from digate: the connection was lost, or a proxy
 * failed the call. It counts as UNKNOWN.
 */
export function outcome(error: Failure): string {
  return detail(error, ErrorInfoSchema)?.metadata["outcome"] ?? "UNKNOWN";
}

/** Returns after how many seconds to try again, or undefined if digate named no time. */
export function retryDelay(error: Failure): number | undefined {
  const delay = detail(error, RetryInfoSchema)?.retryDelay;
  return delay && Number(delay.seconds) + delay.nanos / 1e9;
}

/** Returns the names of the fields whose values were refused. */
export function violations(error: Failure): string[] {
  return detail(error, BadRequestSchema)?.fieldViolations.map((v) => v.field) ?? [];
}

/**
 * Makes one integration, however often the request has to be sent. The request has a
 * requestId. Store it with your own record of the job before the first call, so that
 * the job can be repeated after a crash too. While there is time, the call is repeated
 * if digate names a delay, or if the result was lost. Throws the last error: UNKNOWN
 * then means that a person has to look.
 */
export async function copyOnce(
  client: Client<typeof IntegrationService>,
  request: MessageInitShape<typeof CopyTemplateRequestSchema>,
  options: CallOptions & { timeoutMs: number },
): Promise<CopyTemplateResponse> {
  if (!request.requestId) throw new TypeError("a copy without a requestId must not be repeated");
  return repeat(options, (left) => client.copyTemplate(request, left), (error) =>
    // ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
    outcome(error) === "UNKNOWN" && error.code !== Code.Aborted);
}

/** Makes a call that only reads, and repeats it as a gRPC service config would. */
export function read<T>(options: CallOptions & { timeoutMs: number }, call: (options: CallOptions) => Promise<T>): Promise<T> {
  return repeat(options, call, (error) => error.code === Code.Unavailable);
}

// repeat makes a call until it succeeds, as long as there is time, and digate names a
// delay or the error is one to repeat at once.
async function repeat<T>(
  options: CallOptions & { timeoutMs: number },
  call: (options: CallOptions) => Promise<T>,
  again: (error: ConnectError) => boolean,
): Promise<T> {
  const end = Date.now() + options.timeoutMs;
  for (let pause = 0.2; ; pause *= 2) {
    try {
      return await call({ ...options, timeoutMs: end - Date.now() });
    } catch (e) {
      const error = ConnectError.from(e);
      const delay = retryDelay(error) ?? (again(error) ? pause : Infinity);
      if (Date.now() + delay * 1000 >= end) throw error;
      await new Promise((done) => setTimeout(done, delay * 1000));
    }
  }
}

function detail<Desc extends DescMessage>(error: Failure, schema: Desc): MessageShape<Desc> | undefined {
  if (error instanceof ConnectError) return error.findDetails(schema)[0];
  for (const any of error.details) {
    const message = anyUnpack(any, schema);
    if (message) return message;
  }
  return undefined;
}
