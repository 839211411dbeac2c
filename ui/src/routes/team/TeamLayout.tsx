import { Outlet } from "@tanstack/react-router";
import { PageHeader } from "../../components/States.tsx";
import { roleLabel } from "../../lib/team.ts";
import { useTeam } from "../../queries.ts";
import { TeamTabs } from "./TeamTabs.tsx";

/** The frame of the pages about one team. */
export function TeamLayout() {
  const team = useTeam();
  return (
    <>
      <PageHeader title="Team settings" note={team && `${team.name} · your role: ${roleLabel(team.role).toLowerCase()}`} />
      <TeamTabs />
      <Outlet />
    </>
  );
}
