// Copies templates through digate over Connect, and shows what became of each call.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { copyOnce, outcome, read, retryDelay, violations } from "./digate-errors.js";
import { type CopyTemplateRequestSchema, IntegrationService } from "./generated/diga/integration/v1/integration_service_pb.js";

const { env } = process;

const template = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

// Copying these goes wrong on purpose in `digate dev`.
const missing = "99999999-9999-4999-8999-999999999999";
const rateLimited = "00000000-0000-4000-8000-000000000429";
const noResponse = "00000000-0000-4000-8000-000000000601";
const responseLost = "00000000-0000-4000-8000-000000000603";
const busyOnce = "00000000-0000-4000-8000-000000000608";

// connect returns a client of digate's REST side, where `--web-rpc` adds Connect. Over
// TLS, DIGATE_CA_FILE names the authority to trust. With a certificate of its own, a
// client needs no token where digate has a file of accounts. A stream in both
// directions, as bulk copies are, needs HTTP/2.
function connect(): Client<typeof IntegrationService> {
  const tls = { ca: file(env.DIGATE_CA_FILE), cert: file(env.DIGATE_CERT_FILE), key: file(env.DIGATE_KEY_FILE) };
  const baseUrl = env.DIGATE_URL ?? "http://127.0.0.1:8080";
  return createClient(IntegrationService, createConnectTransport({ httpVersion: "2", baseUrl, nodeOptions: tls }));
}

function file(path: string | undefined): Buffer | undefined {
  return path ? readFileSync(path) : undefined;
}

// within returns a deadline, and who calls: a token, and an account where the caller has
// several.
function within(seconds: number): CallOptions & { timeoutMs: number } {
  const headers = new Headers();
  if (env.DIGATE_TOKEN) headers.set("authorization", `Bearer ${env.DIGATE_TOKEN}`);
  if (env.DIGATE_ACCOUNT) headers.set("digate-account", env.DIGATE_ACCOUNT);
  return { headers, timeoutMs: seconds * 1000 };
}

type Copy = Omit<MessageInitShape<typeof CopyTemplateRequestSchema>, "$typeName">;

function copyOf(templateId: string, more: Copy = {}): Copy {
  return { templateId, apiKey: "k-123", variables: { shop: "acme" }, ...more };
}

const client = connect();

// failure makes a copy that fails, and returns the error.
async function failure(templateId: string, seconds = 10): Promise<ConnectError> {
  try {
    await client.copyTemplate(copyOf(templateId), within(seconds));
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error(`the copy of ${templateId} did not fail`);
}

const copied = await client.copyTemplate(copyOf(template, { name: "my shop" }), within(10));
console.log("copied:", copied.integration?.name);

console.log("no such template:", outcome(await failure(missing)));
const refused = await failure("x");
console.log("bad template id:", outcome(refused), ...violations(refused));
console.log("no response in time:", outcome(await failure(noResponse, 0.5)));

const once = copyOf(template, { name: "once", requestId: randomUUID() });
const first = await copyOnce(client, once, within(10));
const again = await copyOnce(client, once, within(10));
console.log("copied twice with one request id:", first.integration?.id === again.integration?.id ? "one integration" : "two");

const late = await copyOnce(client, copyOf(busyOnce, { name: "late", requestId: randomUUID() }), within(10));
console.log("copied after a 503:", late.integration?.name);
try {
  await copyOnce(client, copyOf(responseLost, { requestId: randomUUID() }), within(10));
} catch (error) {
  console.log("response lost:", outcome(ConnectError.from(error)));
}

// Connect has no service config: reads are repeated here, and never a write.
const got = await read(within(10), (left) => client.getTemplate({ templateId: template }, left));
console.log("template:", got.template?.name);

async function* copies() {
  for (const one of [template, missing, template]) yield { copy: copyOf(one, { requestId: randomUUID() }) };
}
for await (const { outcome: result } of client.bulkCopyTemplate(copies(), within(10))) {
  if (result.case === "error") console.log("one of the bulk copies:", outcome(result.value));
  if (result.case === "summary") console.log(`bulk: ${result.value.done} of ${result.value.total} done`);
}

let templates = 0;
for await (const { template } of client.streamTemplates({ language: "en", maxItems: 3 }, within(10))) templates += template ? 1 : 0;
console.log("streamed:", templates, "templates");

const limited = await failure(rateLimited);
console.log(`rate limit: ${outcome(limited)}, again in ${retryDelay(limited)} s`);
