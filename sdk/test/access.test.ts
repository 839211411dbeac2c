import { afterEach, expect, it } from "vitest";
import { ScaledTest } from "../src/index.ts";
import { json, serve, session, type Handler } from "./server.ts";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

/** A client that is signed in; everything but the sign-in is the handler's. */
async function signedIn(handler: Handler) {
  const server = await serve((seen, response) => {
    if (seen.url === "/auth/login") json(response, 200, session("t1"));
    else handler(seen, response);
  });
  stops.push(server.stop);
  const client = new ScaledTest({ baseUrl: server.url });
  await client.login("a@b.test", "secret-secret");
  server.seen.length = 0;
  return { client, seen: server.seen };
}

it("does not take a wrong current password for a worn-out session", async () => {
  const { client, seen } = await signedIn((_request, response) => {
    json(response, 401, { error: "the current password is wrong", code: "invalid_current_password", request_id: "r" });
  });
  await expect(client.changePassword("no", "new secret")).rejects.toMatchObject({ code: "invalid_current_password" });
  expect(seen.map(({ url }) => url)).toEqual(["/api/v1/auth/change-password"]);
  expect(client.session?.access_token).toBe("t1");
});

it("asks public paths without the session", async () => {
  const { client, seen } = await signedIn((_request, response) => { json(response, 200, { providers: [] }); });
  await client.signInMethods();
  await client.acceptInvitation("inv_1", { password: "secret-secret", displayName: "B" });
  await client.acceptInvitation("inv_1");
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined, "Bearer t1"]);
  expect(seen.map(({ body }) => body)).toEqual(["", '{"password":"secret-secret","display_name":"B"}', "{}"]);
});

it("says how long to wait", async () => {
  const { client } = await signedIn((_request, response) => {
    json(response, 429, { error: "too many", code: "rate_limited", request_id: "r" }, { "Retry-After": "12" });
  });
  await expect(client.forgotPassword("a@b.test")).rejects.toMatchObject({ status: 429, retryAfter: 12, temporary: true });
});

it("tells of a new name as of a new session", async () => {
  const { client } = await signedIn((_request, response) => {
    json(response, 200, { ...session("t1").user, display_name: "Augusta" });
  });
  const names: (string | undefined)[] = [];
  client.onSession((now) => names.push(now?.user.display_name));
  await client.updateProfile("Augusta");
  expect(names).toEqual(["Augusta"]);
  expect(client.session?.access_token).toBe("t1");
});

it("sends only the filters that are set, and fetches the CSV with the session", async () => {
  const { client, seen } = await signedIn((request, response) => {
    if (!request.url.includes(".csv")) {
      json(response, 200, { audit_log: [], total: 0, actions: [] });
      return;
    }
    response.writeHead(200, { "content-type": "text/csv" });
    response.end("id,action\n");
  });
  await client.admin.auditLog({ action: "team.created", team_id: undefined, limit: 20, offset: 40 });
  expect(await (await client.admin.auditLogCsv({ action: "a&b" })).text()).toBe("id,action\n");
  expect(seen.map(({ url }) => url)).toEqual([
    "/api/v1/admin/audit-log?action=team.created&limit=20&offset=40",
    "/api/v1/admin/audit-log.csv?action=a%26b",
  ]);
  expect(seen[1]?.headers.authorization).toBe("Bearer t1");
});

it("keeps ids in their segment of the path", async () => {
  const { client, seen } = await signedIn((_request, response) => { json(response, 200, { message: "ok" }); });
  await client.removeMember("t/1", "../u");
  await client.unlinkIdentity("../i");
  expect(seen.map(({ method, url }) => [method, url])).toEqual([
    ["DELETE", "/api/v1/teams/t%2F1/members/..%2Fu"],
    ["DELETE", "/api/v1/auth/identities/..%2Fi"],
  ]);
});
