import type { Issuer, NewPublisher, Team, TrustedPublisher } from "@scaledtest/sdk";
import * as Tabs from "@radix-ui/react-tabs";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button, CopyButton } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Choice, Field } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { keylessSnippets, repositoryWords } from "../../lib/keyless.ts";
import { keys, publishersQuery, queryClient, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";

const refresh = () => queryClient.invalidateQueries({ queryKey: keys.publishers() });

export function Publishers() {
  useTitle("Trusted publishers");
  const team = useTeam();
  const query = useQuery({ ...publishersQuery(team?.id ?? ""), enabled: team !== undefined });
  if (!team) return null;
  const owner = team.role === "owner";
  return (
    <>
      <Section
        bare
        title="Trusted publishers"
        note="A pipeline that is trusted here uploads reports without a stored token: it shows who it is with the token that its platform signs for each job."
      >
        {query.isPending && <Skeleton rows={2} />}
        {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
        {query.data && <List team={team} owner={owner} publishers={query.data.publishers} issuers={query.data.issuers} />}
      </Section>
      {query.data && owner && <AddForm team={team} issuers={query.data.issuers} />}
      {!owner && <p className="mb-5 text-muted-foreground">Only an owner of the team can add and remove trusted publishers.</p>}
      <Section title="In the pipeline" note="The exchanged token is good for 15 minutes, and for uploads to this team only.">
        <Workflow teamId={team.id} />
      </Section>
    </>
  );
}

const nameOf = (issuers: Issuer[], { issuer }: TrustedPublisher) => issuers.find((known) => known.issuer === issuer)?.name ?? issuer;

function List({ team, owner, publishers, issuers }: { team: Team; owner: boolean; publishers: TrustedPublisher[]; issuers: Issuer[] }) {
  const [removing, setRemoving] = useState<TrustedPublisher>();
  const remove = useMutation({
    mutationFn: ({ id }: TrustedPublisher) => client.removePublisher(team.id, id),
    onSuccess: async () => {
      await refresh();
      setRemoving(undefined);
    },
  });
  if (publishers.length === 0) return <Empty title="No trusted publishers yet">Until there is one, pipelines upload with an API token.</Empty>;
  const columns: Column<TrustedPublisher>[] = [
    {
      header: "Repository",
      cell: (publisher) => (
        <div className="min-w-0">
          <p className="font-medium break-all">{publisher.repository}</p>
          <p className="text-[13px] break-all text-muted-foreground" title={publisher.issuer}>{nameOf(issuers, publisher)}</p>
        </div>
      ),
    },
    { header: "Branch", cell: ({ branch }) => <Rule value={branch} any="any branch" /> },
    { header: "Environment", cell: ({ environment }) => <Rule value={environment} any="any environment" /> },
    { header: "Added", cell: ({ created_at }) => <Time iso={created_at} className="whitespace-nowrap text-muted-foreground" /> },
    {
      header: "Actions",
      actions: true,
      cell: (publisher) => owner && <Button small look="danger" aria-label={`Remove ${publisher.repository}`} onClick={() => { setRemoving(publisher); }}>Remove</Button>,
    },
  ];
  return (
    <>
      <DataTable label="Trusted publishers" columns={columns} rows={publishers} rowKey={({ id }) => id} />
      <Confirm
        open={removing !== undefined}
        title={`Stop trusting ${removing?.repository ?? ""}?`}
        action="Remove"
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => { if (removing) remove.mutate(removing); }}
        onClose={() => { setRemoving(undefined); remove.reset(); }}
      >
        Its pipelines can no longer upload to this team.
      </Confirm>
    </>
  );
}

function Rule({ value, any }: { value: string | null | undefined; any: string }) {
  return value ? <span className="font-mono text-[12.5px] break-all">{value}</span> : <span className="text-muted-foreground">{any}</span>;
}

function AddForm({ team, issuers }: { team: Team; issuers: Issuer[] }) {
  const [issuer, setIssuer] = useState(issuers[0]?.issuer ?? "");
  const words = repositoryWords(issuers.find((known) => known.issuer === issuer)?.provider);
  const add = useMutation({
    mutationFn: (publisher: NewPublisher) => client.trustPublisher(team.id, publisher),
    onSuccess: refresh,
  });
  if (issuers.length === 0) {
    return <p className="mb-5 text-muted-foreground">This server allows no issuer of pipeline tokens. Its owner can name one in its settings.</p>;
  }
  return (
    <Section title="Add a publisher">
      <form
        aria-label="Add a publisher"
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          const values = new FormData(form);
          const text = (name: string) => fieldText(values, name).trim();
          const publisher = {
            issuer,
            repository: text("repository"),
            ...(text("branch") !== "" && { branch: text("branch") }),
            ...(text("environment") !== "" && { environment: text("environment") }),
          };
          if (publisher.repository !== "") add.mutate(publisher, { onSuccess: () => { form.reset(); } });
        }}
      >
        <div className="grid gap-3 sm:grid-cols-2 lg:grid-cols-4">
          <Choice id="publisher-issuer" label="Platform" value={issuer} onChange={(event) => { setIssuer(event.target.value); }}>
            {issuers.map((known) => <option key={known.issuer} value={known.issuer}>{known.name}</option>)}
          </Choice>
          <Field id="publisher-repository" name="repository" label={words.label} required maxLength={500} placeholder={words.example} autoComplete="off" spellCheck={false} />
          <Field id="publisher-branch" name="branch" label="Branch (optional)" maxLength={255} placeholder="main or release/*" autoComplete="off" spellCheck={false} />
          <Field id="publisher-environment" name="environment" label="Environment (optional)" maxLength={255} placeholder="production" autoComplete="off" spellCheck={false} />
        </div>
        <p className="text-[13px] text-muted-foreground">An empty branch or environment means any; <code className="font-mono">*</code> stands for any text.</p>
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" look="primary" disabled={add.isPending}>Add Publisher</Button>
          <Outcome of={add} done={add.data && `${add.data.repository} is trusted now`} />
        </div>
      </form>
    </Section>
  );
}

function Workflow({ teamId }: { teamId: string }) {
  const snippets = keylessSnippets(window.location.origin, teamId);
  return (
    <Tabs.Root defaultValue="github" className="min-w-0">
      <Tabs.List aria-label="Platform" className="flex gap-1 overflow-x-auto border-b">
        {snippets.map(({ id, name }) => (
          <Tabs.Trigger
            key={id}
            value={id}
            className="-mb-px border-b-2 border-transparent px-3 py-1.5 font-medium whitespace-nowrap text-muted-foreground -outline-offset-2 data-[state=active]:border-primary data-[state=active]:text-foreground"
          >
            {name}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {snippets.map(({ id, name, code, hint }) => (
        <Tabs.Content key={id} value={id} className="pt-3">
          <div className="mb-2 flex flex-wrap items-center justify-between gap-3">
            <p className="min-w-0 break-words text-muted-foreground">{hint}</p>
            <CopyButton text={code} label="Copy" />
          </div>
          <pre
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrollable region must be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={`${name} workflow`}
            className="overflow-x-auto rounded-md border bg-code px-3 py-2.5 font-mono text-[12.5px] leading-[1.6]"
          >
            {code}
          </pre>
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}
