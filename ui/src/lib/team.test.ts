import type { Member, Team } from "@scaledtest/sdk";
import { describe, expect, it } from "vitest";
import { chooseFrom, invitableRoles, isLastOwner, placeAfterSwitch } from "./team.ts";

const team = (id: string): Team => ({ id, name: id, role: "owner", created_at: "2026-01-01T00:00:00Z" });
const member = (user_id: string, role: Member["role"]): Member => ({ user_id, role, display_name: user_id, joined_at: "2026-01-01T00:00:00Z" });

describe("the team of the page", () => {
  it("is the wanted one while one is in it", () => {
    expect(chooseFrom([team("a"), team("b")], "b")?.id).toBe("b");
  });

  it("is the first one otherwise", () => {
    expect(chooseFrom([team("a"), team("b")], "gone")?.id).toBe("a");
    expect(chooseFrom([team("a")], undefined)?.id).toBe("a");
    expect(chooseFrom([], "a")).toBeUndefined();
  });
});

it("a switch of team leaves what exists only in the other one", () => {
  const places = ["/", "/runs/1", "/reports/1", "/reports", "/tests/1", "/analytics", "/tokens", "/team/members", "/teamwork", "/profile"].map(placeAfterSwitch);
  expect(places).toEqual(["/", "/reports", "/reports", "/reports", "/tests", "/analytics", "/tokens", "/team", "/", "/"]);
});

it("only the one owner is the last one", () => {
  const [ada, bob, eve] = [member("ada", "owner"), member("bob", "owner"), member("eve", "readonly")];
  expect(isLastOwner([ada, eve], ada)).toBe(true);
  expect(isLastOwner([ada, bob], ada)).toBe(false);
  expect(isLastOwner([ada, eve], eve)).toBe(false);
});

it("nobody invites above themselves", () => {
  expect(invitableRoles("readonly")).toEqual([]);
  expect(invitableRoles("maintainer").map(({ role }) => role)).toEqual(["readonly", "maintainer"]);
  expect(invitableRoles("owner").map(({ role }) => role)).toEqual(["readonly", "maintainer", "owner"]);
});
