import type { Member, Team, TeamRole } from "@scaledtest/sdk";

/** What the roles are called and what they allow, the least first. */
export const ROLES: { role: TeamRole; label: string; may: string }[] = [
  { role: "readonly", label: "Read only", may: "sees everything of the team" },
  { role: "maintainer", label: "Maintainer", may: "also uploads and deletes reports, and invites people" },
  { role: "owner", label: "Owner", may: "also manages tokens, members and the team itself" },
];

export const roleLabel = (role: TeamRole): string => ROLES.find((known) => known.role === role)?.label ?? role;

/** The wanted team if it is one of these, else the first. */
export function chooseFrom(teams: Team[], wanted: string | undefined): Team | undefined {
  return teams.find((team) => team.id === wanted) ?? teams[0];
}

/** Where to go when another team is chosen: a page that exists in every team. */
export function placeAfterSwitch(pathname: string): "/" | "/reports" | "/tests" | "/analytics" | "/team" | "/tokens" {
  if (pathname.startsWith("/runs/") || pathname === "/reports" || pathname.startsWith("/reports/")) return "/reports";
  if (pathname === "/tests" || pathname.startsWith("/tests/")) return "/tests";
  if (pathname === "/analytics") return "/analytics";
  if (pathname === "/tokens") return "/tokens";
  return pathname === "/team" || pathname.startsWith("/team/") ? "/team" : "/";
}

/** True when the team would be without an owner if this one were not. */
export function isLastOwner(members: Member[], member: Member): boolean {
  return member.role === "owner" && members.filter(({ role }) => role === "owner").length === 1;
}

/** The roles that somebody with this one may give away by invitation. */
export function invitableRoles(own: TeamRole): typeof ROLES {
  if (own === "readonly") return [];
  return own === "owner" ? ROLES : ROLES.filter(({ role }) => role !== "owner");
}
