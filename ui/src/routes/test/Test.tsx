import { ApiError, type TestDetail } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Navigate, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { testHistoryQuery, testQuery } from "../../insight-queries.ts";
import { cx } from "../../lib/cx.ts";
import { findSeries } from "../../lib/insight.ts";
import { readTestSearch, type TestSearch } from "../../lib/insight-search.ts";
import { NotFound } from "../NotFound.tsx";
import { Findings } from "./Findings.tsx";
import { TestHeader } from "./Header.tsx";
import { HistoryTable } from "./HistoryTable.tsx";
import { QuarantinePanel } from "./QuarantinePanel.tsx";
import { JoinButton, RenamedPanel } from "./RenamedPanel.tsx";
import { StatePanel } from "./StatePanel.tsx";
import { Errors, Others } from "./tables.tsx";
import { Timeline } from "./Timeline.tsx";

/** One test over all its runs. */
export function TestPage() {
  const { testId } = useParams({ from: "/app/in-team/tests/$testId" });
  // Another test starts afresh: the data of the last one is kept only for another branch of the same.
  return <Content key={testId} testId={testId} />;
}

function Content({ testId }: { testId: string }) {
  const search: TestSearch = useSearch({ from: "/app/in-team/tests/$testId" });
  const query = useQuery(testQuery(testId, { branch: search.branch, variant_id: search.variant }));
  useTitle(query.data?.name ?? "Test");
  if (query.isPending) return <Skeleton rows={10} />;
  if (!query.data) {
    const { error } = query;
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) return <NotFound what="This test" />;
    return <ErrorBox error={error} retry={() => void query.refetch()} />;
  }
  // It was renamed: what it is called now has the history of both.
  if (query.data.id !== testId) return <Navigate to="/tests/$testId" params={{ testId: query.data.id }} search={search} replace />;
  return <Page test={query.data} search={search} stale={query.isPlaceholderData} />;
}

function Page({ test, search, stale }: { test: TestDetail; search: TestSearch; stale: boolean }) {
  const navigate = useNavigate({ from: "/tests/$testId" });
  const { chosen } = test;
  const series = findSeries(test.series, search.branch ?? chosen?.branch, search.variant ?? chosen?.variant_id);
  const history = useQuery({
    ...testHistoryQuery(test.id, { branch: series?.branch, variant_id: series?.variant_id }),
    enabled: series !== undefined,
  });
  const change = (next: TestSearch) => {
    void navigate({ search: readTestSearch({ ...next }), replace: true, resetScroll: false });
  };
  const ofSeries = chosen && chosen.branch === series?.branch && chosen.variant_id === series.variant_id ? chosen : null;

  return (
    <>
      <TestHeader test={test} series={series} onChange={change} />
      <RenamedPanel test={test} />
      <QuarantinePanel test={test} beside={<JoinButton test={test} />} />
      <div className={cx(stale && "opacity-60")}>
        {series && <StatePanel series={series} chosen={ofSeries} />}
        {history.isPending && series && <Skeleton rows={3} className="mb-6" />}
        {history.isError && !history.data && <div className="mb-6"><ErrorBox title="The runs could not be loaded" error={history.error} retry={() => void history.refetch()} /></div>}
        {history.data && history.data.length > 0 && <Timeline runs={history.data} changes={ofSeries?.duration_changes ?? []} name={test.name} />}
        {ofSeries && <Findings chosen={ofSeries} name={test.name} />}
        {test.errors.length > 0 && (
          <Section title="Errors" note="What this test failed with, on any branch; the most frequent first." bare>
            <Errors errors={test.errors} project={test.project.id} />
          </Section>
        )}
        {test.series.length > 1 && (
          <Section title="Where it runs" bare>
            <Others testId={test.id} series={test.series} current={series} />
          </Section>
        )}
        {history.data && history.data.length > 0 && <HistoryTable runs={history.data} name={test.name} />}
      </div>
    </>
  );
}
