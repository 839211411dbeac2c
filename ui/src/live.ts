import type { LiveMessage, LiveState } from "@scaledtest/sdk";
import { useEffect, useState } from "react";
import { keys, queryClient } from "./queries.ts";
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
      { onState: setState },
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
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    if (lists || everything) {
      void queryClient.invalidateQueries({ queryKey: keys.runs() });
      void queryClient.invalidateQueries({ queryKey: keys.reports() });
      void queryClient.invalidateQueries({ queryKey: keys.projects() });
    }
    if (everything) void queryClient.invalidateQueries({ queryKey: keys.run("").slice(0, -1) });
    else for (const id of runs) void queryClient.invalidateQueries({ queryKey: keys.run(id) });
    runs.clear();
    lists = false;
    everything = false;
  };

  return {
    note(message: LiveMessage) {
      if (message.type === "report.ingested") {
        lists = true;
        if (message.run_id) runs.add(message.run_id);
      } else if (message.type === "report.deleted") {
        everything = true;
      } else if (message.type.startsWith("token.")) {
        void queryClient.invalidateQueries({ queryKey: keys.tokens() });
      }
      if (lists || everything) timer ??= setTimeout(flush, REFRESH_EVERY);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
