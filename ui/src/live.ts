import type { LiveMessage, LiveState } from "@scaledtest/sdk";
import { useEffect, useState } from "react";
import { touchedByIssues } from "./issue-queries.ts";
import { keys, queryClient, teamsQuery } from "./queries.ts";
import { client } from "./session.ts";

/** Many reports may arrive at once; the pages are refreshed at most this often, in milliseconds. */
const REFRESH_EVERY = 700;

/** Follows the team's events for as long as the caller is mounted, and refreshes what they touch. */
export function useLive(teamId: string | undefined): { state: LiveState; notice: string } {
  const [state, setState] = useState<LiveState>("connecting");
  const [notice, setNotice] = useState("");

  useEffect(() => {
    if (teamId === undefined) return;
    const refresh = throttledRefresh();
    const live = client.live(
      client.position,
      (message) => {
        refresh.note(message);
        if (message.type === "report.ingested") setNotice(`New report in ${message.project ?? "a project"}`);
      },
      {
        onState: (next) => {
          setState(next);
          // The server hangs up on whoever is no longer in the team.
          if (next === "waiting") void queryClient.invalidateQueries({ queryKey: keys.teams });
        },
      },
    );
    return () => {
      live.close();
      refresh.stop();
    };
  }, [teamId]);

  return { state, notice };
}

/** Collects messages and refreshes once for all of them. */
function throttledRefresh() {
  const runs = new Set<string>();
  let lists = false;
  let everything = false;
  let gates = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    if (lists || everything) {
      void queryClient.invalidateQueries({ queryKey: keys.runs() });
      void queryClient.invalidateQueries({ queryKey: keys.reports() });
      void queryClient.invalidateQueries({ queryKey: keys.projects() });
      void queryClient.invalidateQueries({ queryKey: keys.insight() });
    }
    if (gates) void queryClient.invalidateQueries({ queryKey: keys.gates() });
    if (everything) void queryClient.invalidateQueries({ queryKey: keys.run("").slice(0, -1) });
    else for (const id of runs) void queryClient.invalidateQueries({ queryKey: keys.run(id) });
    runs.clear();
    lists = false;
    everything = false;
    gates = false;
  };

  return {
    note(message: LiveMessage) {
      if (message.type === "report.ingested") {
        lists = true;
        if (message.run_id) runs.add(message.run_id);
      } else if (message.type === "report.deleted") {
        everything = true;
      } else if (message.type === "gate.evaluated") {
        if (message.run_id) runs.add(message.run_id);
        gates = true;
      } else if (message.type.startsWith("gate.")) {
        gates = true;
      } else if (message.type.startsWith("token.")) {
        void queryClient.invalidateQueries({ queryKey: keys.tokens() });
      } else {
        void refreshOthers(message.type);
      }
      if (lists || everything || gates) timer ??= setTimeout(flush, REFRESH_EVERY);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}

/** What changes beside the reports, by the first word of the message's type. */
const OTHERS: Record<string, () => unknown[][]> = {
  team: () => [keys.team()],
  member: () => [keys.team(), keys.members()],
  invitation: () => [keys.invitations()],
  publisher: () => [keys.publishers()],
  share: () => [keys.shares()],
  alias: () => [keys.insight()],
  issue: touchedByIssues,
  quarantine: () => [keys.insight()],
  quarantine_policy: () => [keys.insight()],
};

/** The list of teams first: when it no longer has the team of the page, nothing else of it can be asked for. */
async function refreshOthers(type: string): Promise<void> {
  const kind = type.split(".")[0] ?? "";
  if (!Object.hasOwn(OTHERS, kind)) return;
  if (kind === "team" || kind === "member") await queryClient.invalidateQueries({ queryKey: keys.teams });
  const teams = queryClient.getQueryData(teamsQuery.queryKey);
  if (!teams?.some(({ id }) => id === client.teamId)) return;
  for (const queryKey of OTHERS[kind]?.() ?? []) void queryClient.invalidateQueries({ queryKey });
}
