import { useQuery } from "@tanstack/react-query";
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { Check, ChevronsUpDown, Plus } from "lucide-react";
import { useState } from "react";
import { placeAfterSwitch, roleLabel } from "../lib/team.ts";
import { keys, queryClient, teamsQuery, useTeam } from "../queries.ts";
import { chooseTeam } from "../session.ts";
import { NewTeam } from "./NewTeam.tsx";
import { Popover, popoverItem } from "./Popover.tsx";

/** The team of the page, and the way to another one. */
export function TeamSwitcher({ onNavigate }: { onNavigate?: () => void }) {
  const teams = useQuery(teamsQuery).data;
  const team = useTeam();
  const navigate = useNavigate();
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  const [making, setMaking] = useState(false);
  if (!teams) return <div className="h-11" />;

  const choose = (id: string) => {
    chooseTeam(id);
    void queryClient.invalidateQueries({ queryKey: keys.teams });
    void navigate({ to: placeAfterSwitch(pathname) });
    onNavigate?.();
  };

  return (
    <div className="min-w-0 *:w-full">
      <Popover
        label={team ? `Team: ${team.name}, ${roleLabel(team.role)}` : "Team: none"}
        triggerClass="flex w-full min-w-0 items-center gap-2 rounded-md border bg-card px-2.5 py-1.5 text-left hover:bg-muted"
        panelClass="inset-x-0 max-h-[60dvh] overflow-y-auto"
        trigger={
          <>
            <span className="min-w-0 flex-1">
              <span className="block truncate font-medium">{team?.name ?? "No team"}</span>
              <span className="block text-xs text-muted-foreground">{team ? roleLabel(team.role) : "Make one to begin"}</span>
            </span>
            <ChevronsUpDown aria-hidden size={14} className="shrink-0 text-muted-foreground" />
          </>
        }
      >
        {(close) => (
          <>
            <ul aria-label="Teams">
              {teams.map(({ id, name, role }) => (
                <li key={id}>
                  <button
                    type="button"
                    aria-current={id === team?.id ? "true" : undefined}
                    className={popoverItem}
                    onClick={() => {
                      close();
                      choose(id);
                    }}
                  >
                    <span className="min-w-0 flex-1">
                      <span className="block break-words">{name}</span>
                      <span className="block text-xs text-muted-foreground">{roleLabel(role)}</span>
                    </span>
                    {id === team?.id && <Check aria-hidden size={15} className="shrink-0 text-primary" />}
                  </button>
                </li>
              ))}
            </ul>
            <button
              type="button"
              className={`${popoverItem} ${teams.length > 0 ? "mt-1 rounded-t-none border-t" : ""}`}
              onClick={() => {
                close();
                setMaking(true);
              }}
            >
              <Plus aria-hidden size={15} />
              New team
            </button>
          </>
        )}
      </Popover>
      <NewTeam open={making} onClose={() => { setMaking(false); }} onMade={choose} />
    </div>
  );
}
