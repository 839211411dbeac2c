import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { keylessSnippets } from "../src/lib/keyless.ts";

const ORIGIN = "https://tests.example.test";
const snippet = (id: string) => keylessSnippets(ORIGIN, "team-1").find((known) => known.id === id)?.code ?? "";

/** The shell part of a workflow, run with a curl that answers tokens and writes down what it was asked. */
function run(code: string, environment: Record<string, string>): string {
  const lines = code.split("\n");
  const start = lines.findIndex((line) => line.trimEnd().endsWith("|") && /^\s*(run:|-) \|/.test(line)) + 1;
  const curl = [
    'curl() { printf "%s\\n" "$@" >&2; case "$*" in *id-token*|*audience=*) echo \'{"count":9,"value":"identity-1"}\';;',
    '*oidc-exchange*) echo \'{"access_token":"upload-1","token_type":"Bearer"}\';; esac; }',
  ].join(" ");
  const script = `exec 2>&1\n${curl}\n${lines.slice(start).join("\n")}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8", env: { PATH: process.env.PATH ?? "", ...environment } });
}

describe("the steps to copy for keyless uploads", () => {
  it("exchange GitHub's token and upload with the answer", () => {
    const asked = run(snippet("github"), {
      ACTIONS_ID_TOKEN_REQUEST_URL: "https://runner.test/id-token?v=1",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-1",
      GITHUB_REF_NAME: "main", GITHUB_SHA: "abc", GITHUB_RUN_NUMBER: "7", GITHUB_RUN_ID: "9",
    });
    expect(asked).toContain("https://runner.test/id-token?v=1&audience=https%3A%2F%2Ftests.example.test");
    expect(asked).toContain('{"token":"identity-1","team_id":"team-1"}');
    expect(asked).toContain(`${ORIGIN}/api/v1/reports?branch=main&commit=abc&build=7&run_id=9`);
    expect(asked).toContain("Authorization: Bearer upload-1");
    expect(asked).toContain("::add-mask::upload-1");
  });

  it("never run what a branch is called", () => {
    const asked = run(snippet("github"), {
      ACTIONS_ID_TOKEN_REQUEST_URL: "https://runner.test/id-token?v=1", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "r",
      GITHUB_HEAD_REF: '$(echo pwned)";echo pwned', GITHUB_REF_NAME: "m", GITHUB_SHA: "a", GITHUB_RUN_NUMBER: "1", GITHUB_RUN_ID: "1",
    });
    expect(asked).toContain('branch=$(echo pwned)";echo pwned&commit=a');
    expect(snippet("github")).not.toContain("${{");
  });

  it("exchange GitLab's token for this server", () => {
    expect(snippet("gitlab")).toContain(`aud: ${ORIGIN}`);
    const asked = run(snippet("gitlab"), { SCALEDTEST_IDENTITY: "gl-1", CI_COMMIT_REF_NAME: "main" });
    expect(asked).toContain('{"token":"gl-1","team_id":"team-1"}');
    expect(asked).toContain("Authorization: Bearer upload-1");
  });
});
