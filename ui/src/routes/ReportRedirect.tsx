import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@scaledtest/sdk";
import { Navigate, useParams } from "@tanstack/react-router";
import { ErrorBox, Skeleton } from "../components/States.tsx";
import { reportQuery } from "../queries.ts";
import { NotFound } from "./NotFound.tsx";

/** `/reports/<id>` is the address that other programs know; the report's run is where it is shown. */
export function ReportRedirect() {
  const { reportId } = useParams({ from: "/app/in-team/reports/$reportId" });
  const query = useQuery(reportQuery(reportId));
  if (query.isPending) return <Skeleton rows={10} />;
  if (query.data) return <Navigate to="/runs/$runId" params={{ runId: query.data.run_id }} replace />;
  if (query.error instanceof ApiError && (query.error.status === 404 || query.error.status === 400)) return <NotFound what="This report" />;
  return <ErrorBox error={query.error} retry={() => void query.refetch()} />;
}
