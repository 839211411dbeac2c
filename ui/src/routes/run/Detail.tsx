import * as Radix from "@radix-ui/react-dialog";
import type { TestResultDetail } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { History, X } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "../../components/Button.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { FlakyBadge, StatusText } from "../../components/Status.tsx";
import { useInertPage, useWide } from "../../hooks.ts";
import { formatDuration } from "../../lib/format.ts";
import type { ResultSearch } from "../../lib/search.ts";
import { DetailBody } from "./DetailBody.tsx";
import type { Source } from "./source.ts";

/**
 * One test. Beside the list on a wide screen, where the list keeps the focus so that the arrow keys go on;
 * over everything on a small one.
 */
export function Detail(props: {
  source: Source;
  reportId: string;
  resultId: string;
  /** Of the run, for the test's history on it. */
  branch: string | undefined;
  onFilter: (change: Partial<ResultSearch>) => void;
  onClose: () => void;
}) {
  const wide = useWide();
  useInertPage(!wide);
  const Title = wide ? "h2" : "h1";
  const query = useQuery(props.source.result(props.reportId, props.resultId));
  return (
    <Radix.Root open modal={!wide} onOpenChange={(open) => { if (!open) props.onClose(); }}>
      <Radix.Portal>
        <Radix.Content
          aria-describedby={undefined}
          onOpenAutoFocus={(event) => { if (wide) event.preventDefault(); }}
          onCloseAutoFocus={(event) => { event.preventDefault(); }}
          onInteractOutside={(event) => { event.preventDefault(); }}
          className="fixed inset-0 z-40 flex flex-col overflow-hidden bg-background lg:left-auto lg:w-[min(60rem,52vw)] lg:border-l lg:shadow-2xl"
        >
          <div className="flex items-start gap-3 border-b bg-card px-4 py-3">
            <div className="min-w-0 flex-1">
              <Radix.Title asChild>
                <Title className="text-[15px] leading-snug font-semibold [overflow-wrap:anywhere]">{query.data?.name ?? "Test"}</Title>
              </Radix.Title>
              {query.data && (
                <Heading result={query.data} onFilter={props.onFilter}>
                  {props.source.hasHistory && <HistoryLink testId={query.data.test_id} branch={props.branch} />}
                </Heading>
              )}
            </div>
            <Radix.Close asChild>
              <Button look="ghost" small aria-label="Close test" title="Close (Escape)" className="w-8"><X aria-hidden size={17} /></Button>
            </Radix.Close>
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto px-4 py-4">
            {query.isPending && <Skeleton rows={5} />}
            {query.isError && <ErrorBox title="This test could not be loaded" error={query.error} retry={() => void query.refetch()} />}
            {/* Between the dialog's own title and the headings below it. */}
            {!wide && <h2 className="sr-only">Details</h2>}
            {query.data && <DetailBody result={query.data} />}
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Heading({ result, onFilter, children }: { result: TestResultDetail; onFilter: (change: Partial<ResultSearch>) => void; children: ReactNode }) {
  const suite = result.suite.join(" > ");
  const place = result.file_path && `${result.file_path}${result.line ? `:${String(result.line)}` : ""}`;
  return (
    <div className="mt-1.5 flex flex-col gap-1 text-[13px] text-muted-foreground">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <StatusText status={result.status} raw={result.raw_status} />
        {result.flaky && <FlakyBadge />}
        <span>{formatDuration(result.duration_ms)}</span>
        {result.retries > 0 && <span>{result.retries === 1 ? "1 retry" : `${String(result.retries)} retries`}</span>}
        {result.browser && <span>{result.browser}</span>}
        {result.device && <span>{result.device}</span>}
        {children}
      </p>
      {suite && (
        <p>
          <button type="button" className="text-left underline-offset-2 [overflow-wrap:anywhere] hover:underline" title="Show only this suite" onClick={() => { onFilter({ suite, test: undefined }); }}>
            {result.suite.join(" › ")}
          </button>
        </p>
      )}
      {place && <p className="font-mono text-xs [overflow-wrap:anywhere]">{place}</p>}
      {result.tags.length > 0 && (
        <p className="flex flex-wrap gap-1.5">
          {result.tags.map((tag) => (
            <button key={tag} type="button" className="rounded bg-muted px-1.5 py-px text-xs text-foreground hover:bg-accent" title="Show only this tag" onClick={() => { onFilter({ tag, test: undefined }); }}>
              {tag}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

/** Servers from before there were histories do not say which test it is. */
function HistoryLink({ testId, branch }: { testId: string | undefined; branch: string | undefined }) {
  if (!testId) return null;
  return (
    <Link to="/tests/$testId" params={{ testId }} search={{ branch }} className="inline-flex items-center gap-1 text-primary underline underline-offset-2">
      <History aria-hidden size={13} />
      History
    </Link>
  );
}
