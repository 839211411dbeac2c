import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "../../components/Button.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { UploadCommand } from "../../components/UploadCommand.tsx";
import { keys, queryClient, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";

/** What a new team sees: three steps to its first report. */
export function GettingStarted() {
  const team = useTeam();
  const create = useMutation({
    mutationFn: (teamId: string) => client.createToken(teamId, { name: "First upload" }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.tokens() }),
  });
  return (
    <section aria-labelledby="start" className="panel max-w-3xl p-5 sm:p-6">
      <h2 id="start" className="text-base font-semibold">Upload your first report</h2>
      <p className="mt-1 text-muted-foreground">Any CTRF file will do. This page shows it as soon as it has arrived.</p>
      <ol className="mt-5 flex flex-col gap-5">
        <Step number={1} title="Get a token">
          {create.data ? (
            <p role="status">It is in the command below. Keep a copy: it is not shown again.</p>
          ) : (
            <div className="flex flex-wrap items-center gap-3">
              <Button look="primary" disabled={!team || create.isPending} onClick={() => { if (team) create.mutate(team.id); }}>
                Create a token
              </Button>
              <span className="text-muted-foreground">It goes straight into the command.</span>
            </div>
          )}
          {create.isError && <div className="mt-3"><ErrorBox title="The token was not created" error={create.error} /></div>}
        </Step>
        <Step number={2} title="Run the command">
          <UploadCommand token={create.data?.token} />
        </Step>
        <Step number={3} title="Look here">
          <p className="text-muted-foreground">The report appears by itself.</p>
        </Step>
      </ol>
    </section>
  );
}

function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <li className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-x-3">
      <span aria-hidden className="grid size-7 place-items-center rounded-full bg-accent text-[13px] font-semibold">{number}</span>
      <div className="min-w-0">
        <h3 className="mb-2 pt-1 font-medium">{title}</h3>
        {children}
      </div>
    </li>
  );
}
