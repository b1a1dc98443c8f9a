// What the drivers for Node have in common. doc.go says what a driver does.

import { readFileSync } from "node:fs";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));

const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// drive runs the plan with a library. Its function takes the plan and returns a
// function that begins a call: that takes the call, what to do with a function that
// cancels it, and the messages as bytes, and returns a promise of how the call ended.
export async function drive(library) {
  const begin = library(plan);
  const start = (call, cancel) =>
    begin(call, cancel, call.messages.map((m) => Buffer.from(m, "base64")));
  if (plan.load) {
    print({ ends: await load(start, plan.calls[0], plan.load) });
    process.exit(0);
  }
  if (plan.warm) await start(plan.warm, () => {});
  const cancels = [];
  process.stdin.on("end", () => cancels.forEach((cancel) => cancel())).resume();
  await Promise.all(
    plan.calls.map(async (call, index) => print({ index, ...(await start(call, (c) => cancels.push(c))) })),
  );
  process.stdin.destroy();
  process.stdout.write("", () => process.exit(0));
}

async function load(start, call, { workers, ms }) {
  const ends = {};
  const until = performance.now() + ms;
  const work = async () => {
    while (performance.now() < until) {
      const e = await start(call, () => {});
      const end = e.code === "OK" ? "OK" : `${e.code} ${e.reason || "without ErrorInfo: " + e.message}`;
      ends[end] = (ends[end] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return ends;
}

export const base64 = (bytes) => Buffer.from(bytes).toString("base64");
