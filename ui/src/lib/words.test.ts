import { describe, expect, it } from "vitest";
import { formatWait, humanize, invitationProblem, linkProblem, metadataLine, signInProblem } from "./words.ts";

describe("what a code on the sign-in page says", () => {
  it("is a sentence for each code of the server", () => {
    const codes = ["oauth_denied", "oauth_state", "oauth_failed", "oauth_email_unverified", "oauth_account_exists", "registration_closed", "email_domain_not_allowed", "email_not_verified", "account_disabled"];
    const sentences = codes.map(signInProblem);
    expect(new Set(sentences).size).toBe(codes.length);
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].*\.$/);
  });

  it("never repeats what stands in the address", () => {
    for (const code of ["<b>x</b>", "constructor", "__proto__"]) {
      expect(signInProblem(code)).toBe("The sign-in did not work. Please try again.");
    }
    expect(signInProblem(undefined)).toBeUndefined();
    expect(signInProblem("")).toBeUndefined();
  });
});

it("linking has words of its own where signing in means something else", () => {
  expect(linkProblem("oauth_account_exists")).not.toBe(signInProblem("oauth_account_exists"));
  expect(linkProblem("session_over")).toMatch(/start again/);
  expect(linkProblem("oauth_denied")).toBe(signInProblem("oauth_denied"));
  expect(linkProblem("toString")).toBe(signInProblem("toString"));
  expect(linkProblem(undefined)).toBeUndefined();
});

it("an invitation that is no good is explained, other errors are not", () => {
  expect(invitationProblem("invitation_expired")?.title).toBe("This invitation has expired");
  expect(invitationProblem("network")).toBeUndefined();
  expect(invitationProblem("toString")).toBeUndefined();
});

it("waits are told in seconds, then minutes", () => {
  expect([0, 1, 59, 60, 61, 900].map(formatWait)).toEqual(["1 second", "1 second", "59 seconds", "1 minute", "2 minutes", "15 minutes"]);
});

it("entries of the audit log read like words", () => {
  expect(humanize("member.role_changed")).toBe("Member role changed");
  expect(metadataLine({ role: "owner", tests: 56, note: null, list: ["a"] })).toBe('role owner · tests 56 · list ["a"]');
  expect(metadataLine(null)).toBe("");
});
