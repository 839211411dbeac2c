import type { Summary, TestResult } from "@scaledtest/sdk";
import { useCallback, useEffect, useRef, useState } from "react";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { useSlash } from "../../hooks.ts";
import { plural } from "../../lib/format.ts";
import { readTestRef, toResultFilter, type ResultSearch } from "../../lib/search.ts";
import { Detail } from "./Detail.tsx";
import type { Source } from "./source.ts";
import { TestList } from "./TestList.tsx";
import { Toolbar } from "./Toolbar.tsx";
import { placeOf, useResults, type Range } from "./useResults.ts";

export const refOf = (result: TestResult) => `${result.report_id}.${result.id}`;

interface Props {
  source: Source;
  summary: Summary;
  /** Of the run, for the tests' histories on it. */
  branch: string | undefined;
  /** Filters and the open test, as they stand in the page's URL. */
  search: ResultSearch;
  onChange: (change: Partial<ResultSearch>) => void;
}

/** The tests of a run: filters, the virtual list, and the open test beside it. */
export function Tests({ source, summary, branch, search, onChange }: Props) {
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<Range>({ first: 0, last: 0 });
  const filter = toResultFilter(search);
  const { head, total, pages, broken, at } = useResults(source, filter, range);
  const open = readTestRef(search.test);
  useSlash(useCallback(() => { field.current?.focus(); }, []));

  // Another selection begins at its beginning, wherever one had scrolled to.
  const section = useRef<HTMLElement>(null);
  const selection = JSON.stringify(filter);
  const shown = useRef(selection);
  useEffect(() => {
    if (shown.current === selection) return;
    shown.current = selection;
    if (section.current && section.current.getBoundingClientRect().top < 0) section.current.scrollIntoView();
  }, [selection]);

  const show = (result: TestResult | undefined) => { onChange({ test: result && refOf(result) }); };

  return (
    <section ref={section} aria-labelledby="tests" className="panel min-w-0 [overflow-anchor:none]">
      <h2 id="tests" className="sr-only">Tests</h2>
      <div className="z-20 rounded-t-lg bg-card lg:sticky lg:top-0">
        <Toolbar summary={summary} search={search} field={field} onChange={onChange} />
      </div>
      <p role="status" className="sr-only">{head.isSuccess ? `${plural(total, "test")} shown` : "Loading tests"}</p>
      {head.isPending && <Skeleton rows={10} className="border-0" />}
      {head.isError && <div className="p-3"><ErrorBox error={head.error} retry={() => void head.refetch()} /></div>}
      {head.isSuccess && total === 0 && <p className="px-4 py-12 text-center text-muted-foreground">No test matches these filters.</p>}
      {total > 0 && (
        <TestList
          key={selection}
          ref={list}
          at={at}
          total={total}
          openIndex={search.test === undefined ? -1 : placeOf(pages, (result) => refOf(result) === search.test)}
          isOpen={open !== undefined}
          stale={head.isPlaceholderData}
          onShow={show}
          onRange={setRange}
        />
      )}
      {broken && (
        <div className="sticky bottom-2 p-3"><ErrorBox title="Some tests could not be loaded" error={broken.error} retry={() => void broken.refetch()} /></div>
      )}
      {open && (
        <Detail
          key={search.test}
          source={source}
          reportId={open.reportId}
          resultId={open.resultId}
          branch={branch}
          onFilter={onChange}
          onClose={() => {
            show(undefined);
            list.current?.focus({ preventScroll: true });
          }}
        />
      )}
    </section>
  );
}
