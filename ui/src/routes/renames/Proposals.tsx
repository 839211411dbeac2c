import type { HistoryPoint, RenameProposal } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Button } from "../../components/Button.tsx";
import { Empty, messageOf } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { refreshTests } from "../../insight-queries.ts";
import { shortCommit } from "../../lib/format.ts";
import { reasonWords } from "../../lib/renames.ts";
import { client } from "../../session.ts";
import { OldAndNew } from "./OldAndNew.tsx";

interface Props {
  project: string;
  proposals: RenameProposal[];
  may: boolean;
  onDone: (text: string) => void;
}

/** Pairs of tests that seem to be one, each with what speaks for it. */
export function Proposals({ project, proposals, may, onDone }: Props) {
  if (proposals.length === 0) {
    return (
      <Empty title="No test seems to have been renamed">
        A test has vanished when two complete later runs lack it. Two tests can also be joined by hand, on the page of the new one.
      </Empty>
    );
  }
  return (
    <ul aria-label="Proposed renames" className="panel divide-y">
      {proposals.map((proposal) => <Item key={proposal.from.id} project={project} proposal={proposal} may={may} onDone={onDone} />)}
    </ul>
  );
}

function Item({ project, proposal, may, onDone }: Omit<Props, "proposals"> & { proposal: RenameProposal }) {
  const { from, to, first_seen: first, last_seen: last } = proposal;
  const answer = useMutation({
    mutationFn: async (accept: boolean) => {
      await (accept ? client.insight.renameTest(project, from.id, to.id) : client.insight.dismissRename(project, from.id, to.id));
      await refreshTests();
    },
    onSuccess: (_, accept) => { onDone(accept ? `${from.name} and ${to.name} are one test now` : "Dismissed"); },
  });
  const names = `${from.name} → ${to.name}`;
  return (
    <li aria-label={names} className="flex flex-wrap items-center gap-x-6 gap-y-2.5 px-4 py-3">
      <div className="min-w-0 flex-1 basis-96">
        <OldAndNew from={from} to={to} />
        <p className="mt-1 flex flex-wrap gap-x-3 gap-y-0.5 text-[13px] text-muted-foreground">
          <span>{reasonWords(proposal)}</span>
          <span>last seen in <Run point={last} name={from.name} /></span>
          <span>
            first seen in <Run point={first} name={to.name} />
            {first.commit && <>, commit <span className="font-mono text-xs" title={first.commit}>{shortCommit(first.commit)}</span></>}
          </span>
        </p>
        {answer.isError && <p role="alert" className="mt-1 text-failed">{messageOf(answer.error)}</p>}
      </div>
      {may && (
        <span className="inline-flex gap-1.5">
          <Button small look="primary" aria-label={`Accept ${names}`} disabled={answer.isPending} onClick={() => { answer.mutate(true); }}>Accept</Button>
          <Button small aria-label={`Dismiss ${names}`} disabled={answer.isPending} onClick={() => { answer.mutate(false); }}>Dismiss</Button>
        </span>
      )}
    </li>
  );
}

function Run({ point, name }: { point: HistoryPoint; name: string }) {
  return (
    <Link to="/runs/$runId" params={{ runId: point.run_id }} search={{ q: name }} className="text-primary underline underline-offset-2">
      the run of <Time iso={point.at} />
    </Link>
  );
}
