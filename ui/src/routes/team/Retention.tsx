import type { RetentionDays, Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Choice } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { useSaved } from "../../hooks.ts";
import { keys, queryClient, teamQuery } from "../../queries.ts";
import { client } from "../../session.ts";

const CLASSES: RetentionDays[] = [30, 90, 400];

/** How long the team's results are kept. */
export function Retention({ team }: { team: Team }) {
  const { data } = useQuery(teamQuery(team.id));
  const save = useMutation({
    mutationFn: (days: RetentionDays | null) => client.changeRetention(team.id, days),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.team() }),
  });
  const chosen = data?.retention.chosen_days ?? null;
  const [shown, change] = useSaved(chosen, save);
  if (!data) return null;
  const { days } = data.retention;
  const instance = chosen ? "" : ` (${String(days)} days)`;
  return (
    <Section
      title="Retention"
      note="After their time the results of a run, its traces and its documents are dropped, within a week. Histories, trends and what gates said of it stay. A run that is kept by hand stays whole."
    >
      {team.role === "owner" ? (
        <div className="flex flex-wrap items-end gap-x-4 gap-y-1">
          <Choice
            id="team-retention"
            label="Keep the results of new reports for"
            className="min-w-60"
            value={shown ? String(shown) : ""}
            disabled={save.isPending}
            onChange={({ target }) => { change(CLASSES.find((one) => String(one) === target.value) ?? null); }}
          >
            <option value="">As this server says{instance}</option>
            {CLASSES.map((one) => <option key={one} value={one}>{one} days</option>)}
          </Choice>
          <Outcome of={save} done="Saved: it counts for reports from now on" className="pb-1.5" />
        </div>
      ) : (
        <p>The results of new reports are kept for {days} days. An owner can change that.</p>
      )}
    </Section>
  );
}
