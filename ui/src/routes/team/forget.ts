import type { Team } from "@scaledtest/sdk";
import { queryClient, teamsQuery } from "../../queries.ts";
import { chooseTeam, client } from "../../session.ts";

/** Goes on with another team at once, for this one can no longer be asked for. */
export function forgetTeam(team: Team): void {
  const rest = queryClient.setQueryData<Team[]>(teamsQuery.queryKey, (teams) => teams?.filter(({ id }) => id !== team.id));
  const next = rest?.[0];
  if (next) chooseTeam(next.id);
  else client.teamId = undefined;
}
