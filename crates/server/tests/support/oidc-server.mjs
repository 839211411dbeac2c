// The providers that the tests sign in at, in one process on loopback ports of its own: two OpenID Connect providers
// (the certified oidc-provider; the second one, like Google, puts everything into the ID token), something shaped like
// GitHub, and an issuer of workflow tokens whose keys can be replaced. Prints their addresses as one line of JSON.
//
//   node oidc-server.mjs <base url of the instance under test>
//
// Where a person would type, the request's query says who signs in: ?person=<JSON of their claims>, or ?deny=1.
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer } from "node:http";

const { default: Provider } = await import("oidc-provider");

const base = process.argv[2];
const client = { client_id: "scaledtest", client_secret: "a secret & its signs: +%" };

// --- keys and tokens ----------------------------------------------------------------------------------------------

function key(kid, alg) {
  const pair = alg === "ES256" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const use = { kid, alg, use: "sig" };
  return { kid, alg, private: pair.privateKey, jwk: { ...pair.privateKey.export({ format: "jwk" }), ...use }, public: { ...pair.publicKey.export({ format: "jwk" }), ...use } };
}

const keys = { rsa: key("rsa-1", "RS256"), ec: key("ec-1", "ES256") };
let workflow = key("ci-1", "RS256");
let rotations = 1;
let keyFetches = 0;

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function jwt(claims, { alg, kid, private: privateKey }) {
  const input = `${part({ alg, typ: "JWT", kid })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

// --- OpenID Connect -----------------------------------------------------------------------------------------------

function provider(issuer, name, conformIdTokenClaims) {
  const people = new Map();
  const op = new Provider(issuer, {
    clients: [{ ...client, redirect_uris: [`${base}/auth/${name}/callback`] }],
    jwks: { keys: [keys.rsa.jwk, keys.ec.jwk] },
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    conformIdTokenClaims,
    cookies: { keys: [randomBytes(16).toString("hex")] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, sub) => (people.has(sub) ? { accountId: sub, claims: () => people.get(sub) } : undefined),
    // Everybody agrees to everything.
    async loadExistingGrant(ctx) {
      const grant = new op.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  return async (request, response, url) => {
    if (!url.pathname.startsWith("/interaction/")) return op.callback()(request, response);
    if (url.searchParams.has("deny")) {
      return op.interactionFinished(request, response, { error: "access_denied", error_description: "not today" });
    }
    const person = JSON.parse(url.searchParams.get("person"));
    people.set(person.sub, person);
    return op.interactionFinished(request, response, { login: { accountId: person.sub } });
  };
}

// --- GitHub's shape -----------------------------------------------------------------------------------------------

const codes = new Map();
const tokens = new Map();

async function form(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
}

function json(response, body, status = 200) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body));
}

function authorize(response, query) {
  const back = new URL(query.get("redirect_uri"));
  back.searchParams.set("state", query.get("state"));
  if (query.get("client_id") !== client.client_id || query.get("code_challenge_method") !== "S256") {
    return json(response, { error: "wrong request" }, 400);
  }
  if (query.has("deny")) {
    back.searchParams.set("error", "access_denied");
  } else {
    const code = randomBytes(10).toString("hex");
    codes.set(code, { person: JSON.parse(query.get("person")), challenge: query.get("code_challenge") });
    back.searchParams.set("code", code);
  }
  response.writeHead(302, { location: back.href });
  response.end();
}

async function accessToken(request, response) {
  const body = await form(request);
  const known = codes.get(body.get("code"));
  codes.delete(body.get("code"));
  const challenge = createHash("sha256").update(body.get("code_verifier") ?? "").digest("base64url");
  const right = body.get("client_id") === client.client_id && body.get("client_secret") === client.client_secret;
  // GitHub answers 200 with an error in it.
  if (!known || !right || challenge !== known.challenge) return json(response, { error: "bad_verification_code" });
  const token = `gho_${randomBytes(10).toString("hex")}`;
  tokens.set(token, known.person);
  json(response, { access_token: token, token_type: "bearer", scope: "user:email" });
}

function api(request, response, field) {
  const person = tokens.get((request.headers.authorization ?? "").replace(/^Bearer /, ""));
  if (!person || !request.headers["user-agent"]) return json(response, { message: "Bad credentials" }, 401);
  json(response, person[field]);
}

// --- an issuer of workflow tokens ---------------------------------------------------------------------------------

function ci(response, path, issuer) {
  if (path === "/ci/.well-known/openid-configuration") return json(response, { issuer, jwks_uri: `${issuer}/keys` });
  if (path === "/ci/keys") {
    keyFetches += 1;
    return json(response, { keys: [{ kty: "future", kid: "unknown" }, workflow.public] });
  }
  if (path === "/ci/rotate") {
    rotations += 1;
    workflow = key(`ci-${rotations}`, "RS256");
  }
  json(response, { fetches: keyFetches });
}

/** Signs what it is given: `{claims, key: "rsa" | "ec" | "ci" | "unpublished"}`. */
async function workflowToken(request, response) {
  const { claims, key: name } = JSON.parse((await form(request)).get("request"));
  const signer = name === "ci" ? workflow : name === "unpublished" ? key("rsa-1", "RS256") : keys[name];
  json(response, { token: jwt(claims, signer) });
}

// --- the process --------------------------------------------------------------------------------------------------

async function listen(handler) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    Promise.resolve(handler(request, response, url)).catch((error) => json(response, { error: String(error) }, 500));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${server.address().port}`;
}

let first;
const oidc = await listen((request, response, url) => {
  const path = url.pathname;
  if (path === "/login/oauth/authorize") return authorize(response, url.searchParams);
  if (path === "/login/oauth/access_token") return accessToken(request, response);
  if (path === "/api/v3/user") return api(request, response, "user");
  if (path === "/api/v3/user/emails") return api(request, response, "emails");
  if (path === "/public-key") return json(response, { pem: createPublicKey(keys.rsa.private).export({ format: "pem", type: "spki" }) });
  if (path === "/workflow-token") return workflowToken(request, response);
  if (path.startsWith("/ci/")) return ci(response, path, `${oidc}/ci`);
  return first(request, response, url);
});
first = provider(oidc, "oidc", true);

let second;
const google = await listen((request, response, url) => second(request, response, url));
second = provider(google, "google", false);

console.log(JSON.stringify({ oidc, google, ci: `${oidc}/ci` }));

// Ends with the test, however that ends.
process.stdin.on("end", () => process.exit(0)).resume();
