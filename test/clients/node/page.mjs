// The driver for @connectrpc/connect-web, which is a page. It gets its plan from where it
// comes from, and sends there how each call ended.

import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { caller, registryOf } from "./calls.mjs";

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const base64 = (b) => btoa(String.fromCharCode(...b));
const send = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) });

const plan = await (await fetch("plan")).json();
const registry = registryOf(new Uint8Array(await (await fetch("descriptors")).arrayBuffer()));
const web = { connect: createConnectTransport, "grpc-web": createGrpcWebTransport };
const transport = web[plan.protocol]({ baseUrl: "http://" + plan.address, useBinaryFormat: !plan.json });
const start = caller(registry, transport, base64);
for (const [index, call] of plan.calls.entries()) {
  await send("ended", { index, ...(await start(call, () => {}, call.messages.map(bytes))) });
}
