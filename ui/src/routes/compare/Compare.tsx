import { ApiError } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Navigate, useSearch } from "@tanstack/react-router";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import type { CompareSearch } from "../../lib/search.ts";
import { comparisonQuery, runBeforeQuery } from "../../queries.ts";
import { Chooser } from "./Chooser.tsx";
import { Result } from "./Result.tsx";

export function Compare() {
  useTitle("Compare");
  const { base, head }: CompareSearch = useSearch({ from: "/app/in-team/reports/compare" });
  return (
    <>
      <PageHeader title="Compare" note="Two runs, test by test." />
      <Chooser key={`${base ?? ""} ${head ?? ""}`} base={base} head={head} />
      {base && head && <Compared base={base} head={head} />}
      {!base && head && <RunBefore head={head} />}
      {!head && <Empty title="Choose two runs">Base is the run that you trust, head the one that you ask about.</Empty>}
    </>
  );
}

function Compared({ base, head }: { base: string; head: string }) {
  const query = useQuery(comparisonQuery(base, head));
  if (query.isPending) return <Skeleton rows={8} />;
  if (query.data) return <Result comparison={query.data} />;
  const { error } = query;
  const final = error instanceof ApiError && !error.temporary;
  return <ErrorBox title="These cannot be compared" error={error} {...(!final && { retry: () => void query.refetch() })} />;
}

/** Where only the head is known, the base is the run before on its branch. */
function RunBefore({ head }: { head: string }) {
  const query = useQuery(runBeforeQuery(head));
  if (query.isPending) return <Skeleton rows={8} />;
  if (query.data) return <Navigate to="/reports/compare" search={{ base: query.data.id, head }} replace />;
  return <Empty title="No earlier run on this branch">Choose what to compare with as base.</Empty>;
}
