import type { QualityGate, Team } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { GateBadge } from "../../components/GateRules.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { evaluationsQuery } from "../../gate-queries.ts";
import { kindName, typeOf, type RuleOutcome } from "../../lib/gates.ts";

/** The newest twenty. */
export function Evaluations({ team, gate }: { team: Team; gate: QualityGate }) {
  const query = useQuery(evaluationsQuery(team.id, gate.id));
  return (
    <section aria-label="History" className="border-t">
      <h3 className="px-4 pt-2.5 pb-1 font-semibold">History</h3>
      {query.isPending && <Skeleton rows={2} className="border-0" />}
      {query.isError && <div className="p-4"><ErrorBox error={query.error} retry={() => void query.refetch()} /></div>}
      {query.data?.length === 0 && <p className="px-4 pb-3 text-muted-foreground">It has judged nothing yet.</p>}
      {query.data && query.data.length > 0 && (
        <ul aria-label={`History of ${gate.name}`} className="divide-y">
          {query.data.map((one) => (
            <Judged key={one.id} runId={one.run_id} at={one.created_at} results={one.details}><GateBadge status={one.status} /></Judged>
          ))}
        </ul>
      )}
    </section>
  );
}

/** A run, how it was judged, and why not better. */
export function Judged(props: { runId: string; at: string; origin?: string; results: RuleOutcome[]; children: ReactNode }) {
  const against = props.results.filter(({ passed }) => !passed);
  const waived = props.results.filter((result) => result.waived);
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] items-start gap-x-3 gap-y-0.5 px-4 py-2 md:grid-cols-[7rem_minmax(0,1fr)_auto]">
      <div>{props.children}</div>
      <div className="min-w-0 text-[13px] max-md:col-span-2 max-md:row-start-2">
        {props.origin && <p className="break-all text-muted-foreground">{props.origin}</p>}
        {against.map((result, index) => (
          <p key={index} className="break-words"><span className="font-medium">{kindName(typeOf(result))}</span>{result.level === "warn" && " (warning only)"}: {result.message}</p>
        ))}
        {waived.length > 0 && <p className="break-words">Waived: {waived.map((result) => kindName(typeOf(result))).join(", ")}</p>}
        {against.length === 0 && waived.length === 0 && <p className="text-muted-foreground">Every rule holds.</p>}
      </div>
      <p className="text-[13px] whitespace-nowrap text-muted-foreground">
        <Time iso={props.at} /> · <Link to="/runs/$runId" params={{ runId: props.runId }} className="underline underline-offset-2 hover:text-foreground">Open run</Link>
      </p>
    </li>
  );
}
