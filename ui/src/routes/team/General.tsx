import type { Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Choice, Field } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { farewells } from "../../flash.ts";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { formatCount } from "../../lib/format.ts";
import { keys, membersQuery, queryClient, teamQuery, useTeam } from "../../queries.ts";
import { client, useUser } from "../../session.ts";
import { Badges } from "./Badges.tsx";
import { forgetTeam } from "./forget.ts";
import { Retention } from "./Retention.tsx";

const refresh = () =>
  Promise.all([keys.teams, keys.team(), keys.members()].map((queryKey) => queryClient.invalidateQueries({ queryKey })));

export function General() {
  useTitle("Team settings");
  const team = useTeam();
  if (!team) return null;
  return (
    <div className="max-w-3xl">
      <About team={team} />
      <Badges team={team} />
      <Retention team={team} />
      {team.role === "owner" ? (
        <>
          <Transfer team={team} />
          <Delete team={team} />
        </>
      ) : (
        <p className="text-muted-foreground">Only an owner can rename, hand over or delete the team.</p>
      )}
    </div>
  );
}

function About({ team }: { team: Team }) {
  const detail = useQuery(teamQuery(team.id));
  const rename = useMutation({ mutationFn: (name: string) => client.renameTeam(team.id, name), onSuccess: refresh });
  return (
    <Section title="General">
      {team.role === "owner" && (
        <form
          className="mb-4 flex flex-wrap items-end gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            const name = fieldText(new FormData(event.currentTarget), "name").trim();
            if (name !== "" && name !== team.name) rename.mutate(name);
          }}
        >
          <Field key={team.name} id="team-rename" name="name" label="Team name" required maxLength={255} defaultValue={team.name} autoComplete="off" className="min-w-48 grow sm:max-w-96" />
          <Button type="submit" disabled={rename.isPending}>Rename</Button>
          <Outcome of={rename} done="Renamed" className="self-center pt-5" />
        </form>
      )}
      {detail.isError && <ErrorBox error={detail.error} retry={() => void detail.refetch()} />}
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1">
        <dt className="text-muted-foreground">Members</dt>
        <dd>{detail.data ? formatCount(detail.data.members) : "–"}</dd>
        <dt className="text-muted-foreground">Created</dt>
        <dd><Time iso={team.created_at} /></dd>
        <dt className="text-muted-foreground">Team id</dt>
        <dd className="font-mono text-[12.5px] break-all">{team.id}</dd>
      </dl>
    </Section>
  );
}

function Transfer({ team }: { team: Team }) {
  const me = useUser()?.id;
  const members = useQuery(membersQuery(team.id)).data ?? [];
  const others = members.filter(({ user_id }) => user_id !== me);
  const [chosen, setChosen] = useState("");
  const [asking, setAsking] = useState(false);
  const next = others.find(({ user_id }) => user_id === chosen);
  const transfer = useMutation({
    mutationFn: (userId: string) => client.transferTeam(team.id, userId),
    onSuccess: async () => {
      await refresh();
      setAsking(false);
    },
  });
  return (
    <Section title="Hand over" note="Another member becomes owner, and you become maintainer.">
      {others.length === 0 ? (
        <p className="text-muted-foreground">There is nobody else in the team yet.</p>
      ) : (
        <form
          className="flex flex-wrap items-end gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (next) setAsking(true);
          }}
        >
          <Choice id="team-transfer" label="New owner" className="min-w-48 grow sm:max-w-96" value={chosen} onChange={(event) => { setChosen(event.target.value); }}>
            <option value="">Choose a member</option>
            {others.map(({ user_id, display_name, email }) => <option key={user_id} value={user_id}>{email ? `${display_name} (${email})` : display_name}</option>)}
          </Choice>
          <Button type="submit" disabled={!next}>Hand over…</Button>
        </form>
      )}
      <Confirm
        open={asking && next !== undefined}
        title={`Hand “${team.name}” over to ${next?.display_name ?? ""}?`}
        action="Hand over"
        busy={transfer.isPending}
        error={transfer.error}
        onConfirm={() => { if (next) transfer.mutate(next.user_id); }}
        onClose={() => { setAsking(false); transfer.reset(); }}
      >
        You become maintainer, and can no longer manage tokens, members and the team.
      </Confirm>
    </Section>
  );
}

function Delete({ team }: { team: Team }) {
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const remove = useMutation({
    mutationFn: () => client.deleteTeam(team.id),
    // The live connection may tell of it before the answer does.
    onMutate: () => { farewells.set(team.id, `The team “${team.name}” was deleted.`); },
    onError: () => { farewells.delete(team.id); },
    onSuccess: async () => {
      forgetTeam(team);
      await navigate({ to: "/" });
      await queryClient.invalidateQueries({ queryKey: keys.teams });
    },
  });
  return (
    <Section title="Delete the team" danger>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-prose">Its reports, tokens, invitations and members go with it. This cannot be undone.</p>
        <Button look="danger" onClick={() => { setAsking(true); }}>Delete team…</Button>
      </div>
      <Confirm
        open={asking}
        title={`Delete “${team.name}”?`}
        action="Delete team"
        typed={team.name}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => { remove.mutate(); }}
        onClose={() => { setAsking(false); remove.reset(); }}
      >
        Every report of the team is deleted for everybody, and its tokens stop working at once.
      </Confirm>
    </Section>
  );
}
