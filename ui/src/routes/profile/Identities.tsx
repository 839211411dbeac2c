import type { Identity } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Button, buttonClass } from "../../components/Button.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { linkProblem } from "../../lib/words.ts";
import { identitiesQuery, keys, methodsQuery, queryClient } from "../../queries.ts";
import { client } from "../../session.ts";

/** Where linking starts. A link, not a call: it leads to the other service, and back to this page. */
const linkUrl = (start: string) => `${start}?${new URLSearchParams({ link: "1", return_to: "/profile" }).toString()}`;

/** The accounts elsewhere through which one signs in; `error` is why the last one was not linked. */
export function Identities({ error }: { error: string | undefined }) {
  const query = useQuery(identitiesQuery);
  const providers = useQuery(methodsQuery).data?.providers ?? [];
  const unlink = useMutation({
    mutationFn: ({ id }: Identity) => client.unlinkIdentity(id),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.identities }),
  });
  if (query.isError) return <Section bare title="Linked accounts"><ErrorBox error={query.error} retry={() => void query.refetch()} /></Section>;
  const identities = query.data ?? [];
  if (identities.length === 0 && providers.length === 0) return null;
  const nameOf = (provider: string) => providers.find(({ id }) => id === provider)?.name ?? provider;
  const problem = unlink.isIdle ? linkProblem(error) : undefined;
  return (
    <Section bare title="Linked accounts" note="Other services through which you sign in. Unlink what you do not know, and end its sessions below.">
      {problem !== undefined && <p role="alert" className="mb-2 rounded-md bg-failed-soft px-3 py-2 text-failed">{problem}</p>}
      {identities.length === 0 ? (
        <p className="panel p-4 text-muted-foreground">None yet.</p>
      ) : (
        <ul aria-label="Linked accounts" className="panel divide-y">
          {identities.map((identity) => (
            <li key={identity.id} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2.5">
              <span className="font-medium">{nameOf(identity.provider)}</span>
              {identity.name && <span className="min-w-0 flex-1 break-all text-muted-foreground">{identity.name}</span>}
              <span className="text-[13px] text-muted-foreground">Linked <Time iso={identity.linked_at} /></span>
              <Button
                small
                look="danger"
                aria-label={`Unlink ${nameOf(identity.provider)} ${identity.name ?? ""}`.trim()}
                disabled={unlink.isPending}
                onClick={() => { unlink.mutate(identity); }}
              >
                Unlink
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Outcome of={unlink} done={unlink.variables && `${nameOf(unlink.variables.provider)} is unlinked`} className="mt-2" />
      {providers.length > 0 && (
        <p className="mt-2 flex flex-wrap gap-2">
          {providers.map(({ id, name, start_url }) => <a key={id} href={linkUrl(start_url)} className={buttonClass("plain", true)}>Link {name}</a>)}
        </p>
      )}
    </Section>
  );
}
