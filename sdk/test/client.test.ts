import { afterEach, describe, expect, it } from "vitest";
import { ApiError, ScaledTest } from "../src/index.ts";
import { json, serve, session, type Handler } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function start(handler: Handler) {
  const server = await serve(handler);
  stops.push(server.stop);
  return { ...server, client: new ScaledTest({ baseUrl: server.url }) };
}

/** Accepts one access token at a time; each refresh makes the next one valid. */
function rotating() {
  let current = 1;
  let refreshes = 0;
  const handler: Handler = (seen, response) => {
    if (seen.url === "/auth/login") {
      json(response, 200, session("t1"));
      return;
    }
    if (seen.url === "/auth/refresh") {
      refreshes += 1;
      current += 1;
      setTimeout(() => { json(response, 200, session(`t${String(current)}`)); }, 20);
      return;
    }
    if (seen.headers.authorization === `Bearer t${String(current)}`) json(response, 200, { teams: [], runs: [], total: 0 });
    else json(response, 401, { error: "token expired", code: "unauthorized", request_id: "r" });
  };
  return { handler, wearOut: () => (current += 1), refreshes: () => refreshes };
}

describe("session", () => {
  it("sends the access token and the team", async () => {
    const { client, seen } = await start(rotating().handler);
    await client.login("a@b.test", "secret-secret");
    client.teamId = "team-1";
    await client.teams();
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ email: "a@b.test", password: "secret-secret" });
    expect(seen[1]?.headers).toMatchObject({ authorization: "Bearer t1", "x-team-id": "team-1" });
  });

  it("refreshes once for many requests that meet a worn-out token", async () => {
    const server = rotating();
    const { client } = await start(server.handler);
    await client.login("a@b.test", "secret-secret");
    server.wearOut();
    await Promise.all([client.teams(), client.teams(), client.runs(), client.runs()]);
    expect(server.refreshes()).toBe(1);
  });

  it("gives up after one refresh and forgets the session when the cookie is no good", async () => {
    const { client, seen } = await start((request, response) => {
      if (request.url === "/auth/login") json(response, 200, session("t1"));
      else json(response, 401, { error: "sign in first", code: "unauthorized", request_id: "r" });
    });
    await client.login("a@b.test", "secret-secret");
    const changes: unknown[] = [];
    client.onSession((now) => changes.push(now));
    await expect(client.teams()).rejects.toMatchObject({ status: 401, code: "unauthorized" });
    expect(seen.map((request) => request.url)).toEqual(["/auth/login", "/api/v1/teams", "/auth/refresh"]);
    expect(changes).toEqual([undefined]);
  });

  it("does not refresh when the password is wrong", async () => {
    const { client, seen } = await start((_request, response) => {
      json(response, 401, { error: "Invalid email or password", code: "invalid_credentials", request_id: "r" });
    });
    await expect(client.login("a@b.test", "no")).rejects.toThrow("Invalid email or password");
    expect(seen).toHaveLength(1);
  });

  it("keeps the session when the refresh meets a broken server", async () => {
    const { client } = await start((request, response) => {
      if (request.url === "/auth/login") json(response, 200, session("t1"));
      else if (request.url === "/auth/refresh") json(response, 503, { error: "starting", code: "unavailable", request_id: "r" });
      else json(response, 401, { error: "token expired", code: "unauthorized", request_id: "r" });
    });
    await client.login("a@b.test", "secret-secret");
    await expect(client.teams()).rejects.toMatchObject({ status: 503 });
    expect(client.session?.access_token).toBe("t1");
  });

  it("never refreshes for an API token", async () => {
    const { url, seen } = await start((_request, response) => {
      json(response, 401, { error: "unknown token", code: "unauthorized", request_id: "r" });
    });
    const client = new ScaledTest({ baseUrl: url, token: "sct_1" });
    await expect(client.teams()).rejects.toBeInstanceOf(ApiError);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.headers.authorization).toBe("Bearer sct_1");
  });

  it("repeats the body of a refused upload after the refresh", async () => {
    const server = rotating();
    const { client, seen } = await start(server.handler);
    await client.login("a@b.test", "secret-secret");
    server.wearOut();
    await client.upload({ results: {} }, { branch: "main" }, "key-1");
    const uploads = seen.filter((request) => request.url === "/api/v1/reports?branch=main");
    expect(uploads.map((request) => request.body)).toEqual(['{"results":{}}', '{"results":{}}']);
    expect(uploads[1]?.headers["idempotency-key"]).toBe("key-1");
  });
});

describe("positions", () => {
  it("remembers the highest one and sends it with reads only", async () => {
    const answers = ["1-9", "1-30", "1-12"];
    const { client, seen } = await start((_request, response) => {
      json(response, 200, { teams: [], projects: [] }, { "ST-Position": answers.shift() ?? "1-1" });
    });
    await client.deleteReport("a");
    await client.deleteReport("b");
    await client.deleteReport("c");
    await client.teams();
    expect(seen.map((request) => request.headers["st-min-position"])).toEqual([undefined, undefined, undefined, "1-30"]);
  });

  it("takes a newer epoch for higher and ignores nonsense", () => {
    const client = new ScaledTest({ baseUrl: "http://127.0.0.1:1" });
    for (const position of ["1-900", "2-3", "1-901", "later", null]) client.observe(position);
    expect(client.position).toBe("2-3");
  });
});

describe("errors", () => {
  it("carry what the server said", async () => {
    const { client } = await start((_request, response) => {
      json(response, 400, { error: "no name", code: "invalid_request", details: [{ path: "name" }], request_id: "req-1" });
    });
    const error = await client.createToken("t", { name: "" }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      status: 400, message: "no name", code: "invalid_request", details: [{ path: "name" }], requestId: "req-1", temporary: false,
    });
  });

  it("survive a body that is no JSON", async () => {
    const { client } = await start((_request, response) => {
      response.writeHead(502, { "content-type": "text/html" });
      response.end("<h1>Bad gateway</h1>");
    });
    await expect(client.teams()).rejects.toMatchObject({ status: 502, message: "HTTP 502", code: "http_502", temporary: true });
  });

  it("tell an unreachable server from a refusal", async () => {
    const server = await serve(() => undefined);
    await server.stop();
    const client = new ScaledTest({ baseUrl: server.url });
    await expect(client.teams()).rejects.toMatchObject({ status: 0, code: "network", temporary: true });
  });

  it("end a request that takes too long", async () => {
    const { url } = await start(() => undefined);
    const client = new ScaledTest({ baseUrl: url, timeoutMs: 50 });
    await expect(client.teams()).rejects.toMatchObject({ code: "network", message: "The server did not answer in time" });
  });

  it("refuse a base URL that is no http address", () => {
    expect(() => new ScaledTest({ baseUrl: "ftp://example.test" })).toThrow("not http");
  });
});

it("writes result filters as the API wants them", async () => {
  const { client, seen } = await start((_request, response) => { json(response, 200, { results: [], total: 0 }); });
  await client.runResults("r1", { status: ["failed", "flaky"], text: "a b", sort: "-duration", limit: 500 });
  await client.runResults("r1", { status: [], text: undefined });
  const query = new URL(seen[0]?.url ?? "", "http://x").searchParams;
  expect(Object.fromEntries(query)).toEqual({ status: "failed,flaky", text: "a b", sort: "-duration", limit: "500" });
  expect(seen[1]?.url).toBe("/api/v1/runs/r1/results");
});

it("compares runs and branches", async () => {
  const { client, seen } = await start((_request, response) => { json(response, 200, { diff: {} }); });
  await client.compareReports("a", "b");
  await client.compareBranches({ project: "shop & co", head: "feature/x", base_environment: "staging" });
  expect(seen.map(({ url }) => url)).toEqual([
    "/api/v1/reports/compare?base=a&head=b",
    "/api/v1/compare/branches?project=shop%20%26%20co&head=feature%2Fx&base_environment=staging",
  ]);
});

it("hands back the original document byte for byte", async () => {
  const { client } = await start((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end('{ "a":  1 }');
  });
  expect(await (await client.raw("r1")).text()).toBe('{ "a":  1 }');
});
