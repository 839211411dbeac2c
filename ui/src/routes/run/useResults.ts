import type { ResultFilter, TestResult } from "@scaledtest/sdk";
import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { RESULT_PAGE } from "../../queries.ts";
import type { Source } from "./source.ts";

/** Rows fetched before and after those on screen. */
const AROUND = 150;

/** The first and the last row on screen. */
export interface Range {
  first: number;
  last: number;
}

/** The numbers of the pages that hold the rows of a range and those around it, without the first page. */
export function pagesOf(range: Range, total: number): number[] {
  const from = Math.max(1, Math.floor((range.first - AROUND) / RESULT_PAGE));
  const to = Math.floor(Math.min(total - 1, range.last + AROUND) / RESULT_PAGE);
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** The tests of a run that are on screen. The first page is always there: it says how many there are. */
export function useResults(source: Source, filter: ResultFilter, range: Range) {
  const head = useQuery({ ...source.page(filter, 0), placeholderData: keepPreviousData });
  const total = head.data?.total ?? 0;
  const numbers = pagesOf(range, total);
  const rest = useQueries({ queries: numbers.map((page) => source.page(filter, page)) });

  const pages = new Map<number, TestResult[]>();
  if (head.data) pages.set(0, head.data.results);
  numbers.forEach((page, index) => {
    const data = rest[index]?.data;
    if (data) pages.set(page, data.results);
  });

  return {
    head,
    total,
    pages,
    /** A page that could not be fetched. */
    broken: rest.find((query) => query.isError),
    /** A test by its place, or undefined while it is not here. */
    at: (index: number): TestResult | undefined => pages.get(Math.floor(index / RESULT_PAGE))?.[index % RESULT_PAGE],
  };
}

/** The place of a test among those that are here, -1 if it is not. */
export function placeOf(pages: Map<number, TestResult[]>, matches: (result: TestResult) => boolean): number {
  for (const [page, results] of pages) {
    const index = results.findIndex(matches);
    if (index >= 0) return page * RESULT_PAGE + index;
  }
  return -1;
}
