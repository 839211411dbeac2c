import { afterEach, expect, it, vi } from "vitest";
import { WebSocket as NodeWebSocket, WebSocketServer, type WebSocket as Peer } from "ws";
import { ScaledTest, type LiveConnection, type LiveMessage, type LiveState } from "../src/index.ts";
import { json, serve, session } from "./server.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(accept: (token: string | null) => boolean = () => true) {
  let refreshes = 0;
  const server = await serve((seen, response) => {
    if (seen.url === "/auth/refresh") refreshes += 1;
    json(response, 200, session(`t${String(refreshes + 1)}`));
  });
  const sockets = new WebSocketServer({ noServer: true });
  const connections: { query: URLSearchParams; peer: Peer }[] = [];
  server.server.on("upgrade", (request, socket, head) => {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    if (!accept(query.get("token"))) {
      socket.end("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (peer) => connections.push({ query, peer }));
  });
  cleanups.push(server.stop, () => {
    for (const peer of sockets.clients) peer.terminate();
  });
  const client = new ScaledTest({ baseUrl: server.url, WebSocket: NodeWebSocket as unknown as typeof WebSocket });
  await client.login("a@b.test", "secret-secret");
  const messages: LiveMessage[] = [];
  const states: LiveState[] = [];
  const follow = (since?: string): LiveConnection => {
    const live = client.live(since, (message) => messages.push(message), {
      minDelay: 5,
      maxDelay: 20,
      onState: (state) => states.push(state),
    });
    cleanups.push(() => { live.close(); });
    return live;
  };
  const connection = (index: number) => vi.waitFor(() => {
    const found = connections[index];
    if (!found) throw new Error("not connected yet");
    return found;
  });
  const received = (count: number) => vi.waitFor(() => { expect(messages).toHaveLength(count); });
  return { client, connections, connection, follow, messages, received, states, refreshes: () => refreshes };
}

const send = (peer: Peer, message: unknown) => { peer.send(JSON.stringify(message)); };

it("hands on messages and makes later reads wait for them", async () => {
  const { client, connection, follow, messages, received } = await start();
  client.teamId = "team-1";
  follow();
  const { peer, query } = await connection(0);
  send(peer, { type: "hello", position: "1-4" });
  send(peer, { type: "report.ingested", position: "1-5", report_id: "r" });
  await received(2);
  expect(Object.fromEntries(query)).toEqual({ token: "t1", team: "team-1" });
  expect(messages[1]).toMatchObject({ type: "report.ingested", report_id: "r" });
  expect(client.position).toBe("1-5");
});

it("comes back after the last position it was told of", async () => {
  const { connection, follow, received, states } = await start();
  follow("1-2");
  const first = await connection(0);
  send(first.peer, { type: "report.ingested", position: "1-7" });
  await received(1);
  first.peer.terminate();
  const second = await connection(1);
  expect(first.query.get("since")).toBe("1-2");
  expect(second.query.get("since")).toBe("1-7");
  await vi.waitFor(() => { expect(states).toEqual(["connecting", "open", "waiting", "connecting", "open"]); });
});

it("does not take the greeting's position for its own when it resumes", async () => {
  const { connection, follow, received } = await start();
  follow("1-2");
  const first = await connection(0);
  send(first.peer, { type: "hello", position: "1-90" });
  await received(1);
  first.peer.terminate();
  expect((await connection(1)).query.get("since")).toBe("1-2");
});

it("starts from the greeting when it had no position", async () => {
  const { connection, follow, received } = await start();
  const live = follow();
  const first = await connection(0);
  send(first.peer, { type: "hello", position: "1-90" });
  await received(1);
  first.peer.close(4008);
  expect((await connection(1)).query.get("since")).toBe("1-90");
  expect(live.position).toBe("1-90");
});

it("renews the token when it is not let in", async () => {
  const { connection, follow, refreshes } = await start((token) => token === "t2");
  follow();
  expect((await connection(0)).query.get("token")).toBe("t2");
  expect(refreshes()).toBe(1);
});

it("ignores what is no JSON and stays", async () => {
  const { connection, connections, follow, messages, received } = await start();
  follow();
  const { peer } = await connection(0);
  peer.send("{");
  send(peer, { type: "report.deleted", position: "1-3" });
  await received(1);
  expect(messages[0]?.type).toBe("report.deleted");
  expect(connections).toHaveLength(1);
});

it("stays closed", async () => {
  const { connection, follow, states } = await start();
  const live = follow();
  const { peer } = await connection(0);
  const gone = new Promise((resolve) => peer.on("close", resolve));
  live.close();
  live.close();
  await gone;
  expect(states.at(-1)).toBe("closed");
  expect(states.filter((state) => state === "closed")).toHaveLength(1);
});
