import { ApiError } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { readResultSearch } from "../../lib/search.ts";
import { runQuery } from "../../queries.ts";
import { NotFound } from "../NotFound.tsx";
import { RunGates } from "./RunGates.tsx";
import { RunHeader } from "./RunHeader.tsx";
import { teamSource } from "./source.ts";
import { Tests } from "./Tests.tsx";
import { Verdict } from "./Verdict.tsx";

export function RunPage() {
  const { runId } = useParams({ from: "/app/in-team/runs/$runId" });
  const search = useSearch({ from: "/app/in-team/runs/$runId" });
  const navigate = useNavigate({ from: "/runs/$runId" });
  const query = useQuery(runQuery(runId));
  useTitle(query.data?.name ?? "Run");
  if (query.isPending) return <Skeleton rows={10} />;
  if (query.isError) {
    const { error } = query;
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return <NotFound what="This run" />;
    return <ErrorBox error={error} retry={() => void query.refetch()} />;
  }
  return (
    <>
      <RunHeader run={query.data} />
      <Verdict key={`verdict ${runId}`} run={query.data} />
      <RunGates key={`gates ${runId}`} run={query.data} />
      {!query.data.retention.dropped && (
        <Tests
          key={runId}
          source={teamSource(runId)}
          summary={query.data.summary}
          branch={query.data.branch ?? undefined}
          search={search}
          onChange={(change) => {
            void navigate({ search: (now) => readResultSearch({ ...now, ...change }), replace: true, resetScroll: false });
          }}
        />
      )}
    </>
  );
}
