// Copies templates through digate, and shows what became of each call.

import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { IntegrationService } from "./contract.js";
import { copyOnce, outcome, retryDelay, violations } from "./digate-errors.js";
import type { BulkCopyTemplateResponse__Output } from "./generated/diga/integration/v1/BulkCopyTemplateResponse.js";
import type { CopyTemplateRequest } from "./generated/diga/integration/v1/CopyTemplateRequest.js";
import type { CopyTemplateResponse__Output } from "./generated/diga/integration/v1/CopyTemplateResponse.js";
import type { GetTemplateResponse__Output } from "./generated/diga/integration/v1/GetTemplateResponse.js";
import type { IntegrationServiceClient } from "./generated/diga/integration/v1/IntegrationService.js";
import type { StreamTemplatesResponse__Output } from "./generated/diga/integration/v1/StreamTemplatesResponse.js";

const { env } = process;

const template = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

// Copying these goes wrong on purpose in `digate dev`.
const missing = "99999999-9999-4999-8999-999999999999";
const rateLimited = "00000000-0000-4000-8000-000000000429";
const noResponse = "00000000-0000-4000-8000-000000000601";
const responseLost = "00000000-0000-4000-8000-000000000603";
const busyOnce = "00000000-0000-4000-8000-000000000608";

// connect returns a client: over TLS if there is an authority to trust. With a
// certificate of its own, a client needs no token where digate has a file of accounts.
function connect(): IntegrationServiceClient {
  const secure = () => credentials.createSsl(read(env.DIGATE_CA_FILE), read(env.DIGATE_KEY_FILE), read(env.DIGATE_CERT_FILE));
  return new IntegrationService(
    env.DIGATE_ADDR ?? "127.0.0.1:9090",
    env.DIGATE_CA_FILE ? secure() : credentials.createInsecure(),
    // The service config repeats reads, and never a write.
    { "grpc.service_config": readFileSync(new URL("../../../docs/service-config.json", import.meta.url), "utf8") },
  );
}

function read(path: string | undefined): Buffer | null {
  return path ? readFileSync(path) : null;
}

// caller returns who calls: a token, and an account where the caller has several.
function caller(): Metadata {
  const metadata = new Metadata();
  if (env.DIGATE_TOKEN) metadata.set("authorization", `Bearer ${env.DIGATE_TOKEN}`);
  if (env.DIGATE_ACCOUNT) metadata.set("digate-account", env.DIGATE_ACCOUNT);
  return metadata;
}

function copyOf(templateId: string, more: CopyTemplateRequest = {}): CopyTemplateRequest {
  return { templateId, apiKey: "k-123", variablesJson: JSON.stringify({ shop: "acme" }), ...more };
}

function within(seconds: number) {
  return { deadline: Date.now() + seconds * 1000 };
}

// unary makes a promise of a call that has a callback.
function unary<T>(call: (done: (error: ServiceError | null, response?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => call((error, response) => (error ? reject(error) : resolve(response as T))));
}

const client = connect();

// failure makes a copy that fails, and returns the error.
async function failure(templateId: string, seconds = 10): Promise<ServiceError> {
  try {
    await unary((done) => client.copyTemplate(copyOf(templateId), caller(), within(seconds), done));
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error(`the copy of ${templateId} did not fail`);
}

const copied = await unary<CopyTemplateResponse__Output>((done) => client.copyTemplate(copyOf(template, { name: "my shop" }), caller(), within(10), done));
console.log("copied:", copied.integration?.name);

console.log("no such template:", outcome(await failure(missing)));
const refused = await failure("x");
console.log("bad template id:", outcome(refused), ...violations(refused));
console.log("no response in time:", outcome(await failure(noResponse, 0.5)));

const once = copyOf(template, { name: "once", requestId: randomUUID() });
const first = await copyOnce(client, once, 10, caller());
const again = await copyOnce(client, once, 10, caller());
console.log("copied twice with one request id:", first.integration?.id === again.integration?.id ? "one integration" : "two");

const late = await copyOnce(client, copyOf(busyOnce, { name: "late", requestId: randomUUID() }), 10, caller());
console.log("copied after a 503:", late.integration?.name);
try {
  await copyOnce(client, copyOf(responseLost, { requestId: randomUUID() }), 10, caller());
} catch (error) {
  console.log("response lost:", outcome(error as ServiceError));
}

const got = await unary<GetTemplateResponse__Output>((done) => client.getTemplate({ templateId: template }, caller(), within(10), done));
console.log("template:", got.template?.name);

const bulk = client.bulkCopyTemplate(caller(), within(10));
for (const one of [template, missing, template]) bulk.write({ copy: copyOf(one, { requestId: randomUUID() }) });
bulk.end();
for await (const { error, summary } of bulk as AsyncIterable<BulkCopyTemplateResponse__Output>) {
  if (error) console.log("one of the bulk copies:", outcome(error));
  if (summary) console.log(`bulk: ${summary.done} of ${summary.total} done`);
}

let templates = 0;
const stream = client.streamTemplates({ language: "en", maxItems: 3 }, caller(), within(10));
for await (const { template } of stream as AsyncIterable<StreamTemplatesResponse__Output>) templates += template ? 1 : 0;
console.log("streamed:", templates, "templates");

const limited = await failure(rateLimited);
console.log(`rate limit: ${outcome(limited)}, again in ${retryDelay(limited)} s`);

client.close();
