import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const READY_WITHIN = 120_000;
const STOPPED_WITHIN = 30_000;
const root = resolve(import.meta.dirname, "../..");

/** Starts the real server on a fresh data folder; the function it returns stops it and insists on a clean end. */
export default async function start(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.E2E_BASE_URL) return undefined;
  const binary = resolve(root, process.env.SCALEDTEST_BIN ?? "target/debug/scaledtest");
  if (!existsSync(binary)) throw new Error(`${binary} is missing: build the server first, or set SCALEDTEST_BIN`);
  const port = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), "scaledtest-e2e-"));
  // As root, the database runs as another user, who has to get through here.
  chmodSync(dataDir, 0o755);
  const server = launch(binary, ["up", "--port", String(port), "--data-dir", dataDir]);
  const url = `http://127.0.0.1:${String(port)}`;
  try {
    await ready(`${url}/readyz`, server);
    await registerOwner(url);
  } catch (error) {
    await stop(server).catch(() => undefined);
    throw error;
  }
  process.env.E2E_BASE_URL = url;
  return async () => {
    await stop(server);
    rmSync(dataDir, { recursive: true, force: true });
  };
}

function launch(binary: string, args: string[]): ChildProcess {
  const results = join(root, "e2e/test-results");
  mkdirSync(results, { recursive: true });
  const log = createWriteStream(join(results, "server.log"));
  const server = spawn(binary, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    // The tests sign in and reload more often than a person would.
    env: { ...process.env, ST_DISABLE_RATE_LIMIT: "true" },
  });
  server.stdout.pipe(log, { end: false });
  server.stderr.pipe(log, { end: false });
  return server;
}

/** The first account owns the instance. It is made before the tests, so that none of them is the first by chance. */
async function registerOwner(url: string): Promise<void> {
  const owner = { email: "owner@example.test", password: "correct horse battery staple", display_name: "Olivia Owner" };
  const answer = await fetch(`${url}/auth/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(owner),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`the first account could not be made: HTTP ${String(answer.status)}`);
  process.env.E2E_OWNER_EMAIL = owner.email;
  process.env.E2E_OWNER_PASSWORD = owner.password;
}

async function ready(url: string, server: ChildProcess): Promise<void> {
  const end = Date.now() + READY_WITHIN;
  while (Date.now() < end) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${String(server.exitCode)}, see e2e/test-results/server.log`);
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((wake) => setTimeout(wake, 200));
  }
  throw new Error("the server was not ready in time, see e2e/test-results/server.log");
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode === null && server.signalCode === null) {
    const ended = new Promise<void>((wake) => server.once("exit", () => { wake(); }));
    server.kill("SIGTERM");
    const timer = setTimeout(() => server.kill("SIGKILL"), STOPPED_WITHIN);
    await ended;
    clearTimeout(timer);
  }
  if (server.exitCode !== 0) {
    throw new Error(`the server did not end cleanly: exit code ${String(server.exitCode)}, signal ${String(server.signalCode)}, see e2e/test-results/server.log`);
  }
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer();
    probe.once("error", failed);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => { found(port); });
    });
  });
}
