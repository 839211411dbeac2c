import type { Team } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { fieldText } from "../lib/form.ts";
import { queryClient, teamsQuery } from "../queries.ts";
import { client } from "../session.ts";
import { Button } from "./Button.tsx";
import { Modal } from "./Dialog.tsx";
import { Field } from "./Field.tsx";
import { messageOf } from "./States.tsx";

/** The form for a new team; `onMade` gets its id when the list of teams knows it. */
export function NewTeamForm({ onMade, onCancel }: { onMade: (id: string) => void; onCancel?: () => void }) {
  const create = useMutation({
    mutationFn: (name: string) => client.createTeam(name),
    onSuccess: (team) => {
      queryClient.setQueryData<Team[]>(teamsQuery.queryKey, (teams = []) =>
        teams.some(({ id }) => id === team.id) ? teams : [...teams, { ...team, role: "owner" }]);
      onMade(team.id);
    },
  });
  return (
    <form
      aria-label="New team"
      onSubmit={(event) => {
        event.preventDefault();
        const name = fieldText(new FormData(event.currentTarget), "team-name").trim();
        if (name !== "") create.mutate(name);
      }}
    >
      <Field id="team-name" label="Team name" required maxLength={255} autoComplete="off" />
      {create.isError && <p role="alert" className="mt-3 text-failed">{messageOf(create.error)}</p>}
      <div className="mt-5 flex justify-end gap-2">
        {onCancel && <Button onClick={onCancel}>Cancel</Button>}
        <Button type="submit" look="primary" disabled={create.isPending}>Create Team</Button>
      </div>
    </form>
  );
}

export function NewTeam({ open, onClose, onMade }: { open: boolean; onClose: () => void; onMade: (id: string) => void }) {
  return (
    <Modal open={open} title="New team" note="You become its owner, and can invite others afterwards." onClose={onClose}>
      <div className="mt-4">
        <NewTeamForm onCancel={onClose} onMade={(id) => { onClose(); onMade(id); }} />
      </div>
    </Modal>
  );
}
