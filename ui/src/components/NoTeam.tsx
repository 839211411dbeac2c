import { useTitle } from "../hooks.ts";
import { chooseTeam } from "../session.ts";
import { NewTeamForm } from "./NewTeam.tsx";

/** What somebody sees who is in no team. */
export function NoTeam() {
  useTitle("No team");
  return (
    <section aria-labelledby="no-team" className="panel mx-auto mt-[8vh] max-w-md p-6">
      <h1 id="no-team" className="text-xl font-semibold tracking-tight">You are in no team yet</h1>
      <p className="mt-1 mb-5 text-muted-foreground">
        Reports belong to a team. Make one, or ask a colleague for an invitation to theirs.
      </p>
      <NewTeamForm onMade={chooseTeam} />
    </section>
  );
}
