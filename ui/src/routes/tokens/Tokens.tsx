import type { ApiToken, CreatedToken, Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button, CopyButton } from "../../components/Button.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Empty, ErrorBox, messageOf, PageHeader, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { UploadCommand } from "../../components/UploadCommand.tsx";
import { useNow, useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { formatAbsolute } from "../../lib/format.ts";
import { keys, queryClient, tokensQuery, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";
import { TeamTabs } from "../team/TeamTabs.tsx";

const LIFETIMES: { days: number; label: string }[] = [
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "1 year" },
  { days: 0, label: "Never" },
];

const refresh = () => queryClient.invalidateQueries({ queryKey: keys.tokens() });

function CreateForm({ team, onCreated }: { team: Team; onCreated: (token: CreatedToken) => void }) {
  const create = useMutation({
    mutationFn: ({ name, days }: { name: string; days: number }) =>
      client.createToken(team.id, {
        name,
        ...(days > 0 && { expires_at: new Date(Date.now() + days * 86_400_000).toISOString() }),
      }),
    onSuccess: (token) => {
      onCreated(token);
      return refresh();
    },
  });
  return (
    <form
      aria-label="New token"
      className="panel mb-5 flex flex-wrap items-end gap-3 p-4"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const values = new FormData(form);
        const name = fieldText(values, "name").trim();
        if (name !== "") create.mutate({ name, days: Number(fieldText(values, "days")) }, { onSuccess: () => { form.reset(); } });
      }}
    >
      <div className="flex min-w-48 grow flex-col gap-1.5 sm:max-w-80">
        <label htmlFor="token-name" className="font-medium">Name</label>
        <input id="token-name" name="name" required maxLength={100} placeholder="CI uploads" autoComplete="off" className="field" />
      </div>
      <div className="flex flex-col gap-1.5">
        <label htmlFor="token-days" className="font-medium">Expires</label>
        <select id="token-days" name="days" defaultValue="365" className="field">
          {LIFETIMES.map(({ days, label }) => <option key={days} value={days}>{label}</option>)}
        </select>
      </div>
      <Button type="submit" look="primary" disabled={create.isPending}>Create Token</Button>
      {create.isError && <p role="alert" className="w-full text-failed">{messageOf(create.error)}</p>}
    </form>
  );
}

/** The only time that the secret is shown. */
function Created({ token, onDone }: { token: CreatedToken; onDone: () => void }) {
  return (
    <section aria-labelledby="created" className="panel mb-5 flex flex-col gap-4 border-passed p-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div>
          <h2 id="created" className="text-base font-semibold">Token “{token.name}” created</h2>
          <p role="status" className="text-muted-foreground">Copy it now: it is not shown again.</p>
        </div>
        <Button onClick={onDone}>Done</Button>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <code aria-label="Secret" className="min-w-0 rounded-md border bg-code px-2.5 py-1.5 font-mono text-[12.5px] break-all">{token.token}</code>
        <CopyButton text={token.token} label="Copy token" />
      </div>
      <UploadCommand token={token.token} />
    </section>
  );
}

function Row({ token, mayRevoke, onRevoke }: { token: ApiToken; mayRevoke: boolean; onRevoke: () => void }) {
  const now = useNow();
  const expired = !!token.expires_at && Date.parse(token.expires_at) < now;
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1 px-4 py-3 md:grid-cols-[minmax(0,1.4fr)_9rem_10rem_10rem_auto]">
      <div className="min-w-0">
        <p className="truncate font-medium" title={token.name}>{token.name}</p>
        <p className="truncate text-[13px] text-muted-foreground"><span className="font-mono text-xs">{token.prefix}…</span></p>
      </div>
      <p className="text-[13px] text-muted-foreground max-md:row-start-2">Created <Time iso={token.created_at} /></p>
      <p className="text-[13px] text-muted-foreground max-md:col-start-1">{token.last_used_at ? <>Used <Time iso={token.last_used_at} /></> : "Never used"}</p>
      <p className="text-[13px] text-muted-foreground max-md:col-start-1">
        {token.expires_at ? <span title={formatAbsolute(token.expires_at)} className={expired ? "text-failed" : undefined}>{expired ? "Expired" : "Expires"} <Time iso={token.expires_at} /></span> : "Does not expire"}
      </p>
      <div className="max-md:col-start-2 max-md:row-start-1">
        {mayRevoke && <Button small look="danger" aria-label={`Revoke ${token.name}`} onClick={onRevoke}>Revoke</Button>}
      </div>
    </li>
  );
}

function TokenList({ team }: { team: Team }) {
  const query = useQuery(tokensQuery(team.id));
  const [revoking, setRevoking] = useState<ApiToken>();
  const revoke = useMutation({
    mutationFn: (token: ApiToken) => client.deleteToken(team.id, token.id),
    onSuccess: () => {
      setRevoking(undefined);
      return refresh();
    },
  });
  if (query.isPending) return <Skeleton rows={3} />;
  if (query.isError) return <ErrorBox error={query.error} retry={() => void query.refetch()} />;
  if (query.data.length === 0) return <Empty title="No tokens yet">Create one to upload reports from a script or a pipeline.</Empty>;
  return (
    <>
      <ul aria-label="Tokens" className="panel divide-y">
        {query.data.map((token) => (
          <Row key={token.id} token={token} mayRevoke={team.role === "owner"} onRevoke={() => { setRevoking(token); }} />
        ))}
      </ul>
      <Confirm
        open={revoking !== undefined}
        title={`Revoke “${revoking?.name ?? ""}”?`}
        action="Revoke token"
        busy={revoke.isPending}
        onConfirm={() => { if (revoking) revoke.mutate(revoking); }}
        onClose={() => { setRevoking(undefined); revoke.reset(); }}
      >
        {revoke.isError ? messageOf(revoke.error) : "Whatever uses it can no longer upload or read. This cannot be undone."}
      </Confirm>
    </>
  );
}

export function Tokens() {
  useTitle("API Tokens");
  const team = useTeam();
  const [created, setCreated] = useState<CreatedToken>();
  if (!team) return null;
  return (
    <>
      <PageHeader title="API Tokens" note={`Scripts and pipelines use a token to upload reports to ${team.name}.`} />
      <TeamTabs />
      {team.role === "owner" ? (
        <CreateForm team={team} onCreated={setCreated} />
      ) : (
        <p className="mb-5 text-muted-foreground">Only an owner of the team can create and revoke tokens.</p>
      )}
      {created && <Created token={created} onDone={() => { setCreated(undefined); }} />}
      <h2 className="mb-2 text-base font-semibold">Tokens of this team</h2>
      <TokenList team={team} />
      {!created && (
        <section aria-labelledby="how" className="panel mt-5 p-4">
          <h2 id="how" className="mb-2 text-base font-semibold">How to upload</h2>
          <UploadCommand />
        </section>
      )}
    </>
  );
}
