import type { HistoryChange, HistoryPoint } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";

/** The run that a place in a test's history is of, with the test looked up. */
export function RunLink({ point, name, children }: { point: HistoryPoint; name: string; children: string }) {
  return (
    <Link to="/runs/$runId" params={{ runId: point.run_id }} search={{ q: name }} className="text-primary underline underline-offset-2">
      {children}
    </Link>
  );
}

/** The runs between which something changed. */
export function Places({ change, name }: { change: Pick<HistoryChange, "at" | "earliest" | "latest">; name: string }) {
  if (change.earliest.report_id === change.latest.report_id) return <RunLink point={change.at} name={name}>first run with it</RunLink>;
  return (
    <>
      <RunLink point={change.earliest} name={name}>earliest run</RunLink>
      <RunLink point={change.at} name={name}>likeliest run</RunLink>
      <RunLink point={change.latest} name={name}>latest run</RunLink>
    </>
  );
}
