import type { ResultFilter } from "@scaledtest/sdk";
import { resultPageQuery, resultQuery, sharedPageQuery, sharedResultQuery } from "../../queries.ts";

/** Where the tests of a run are read: by a member of its team, or through a link by anybody. */
export interface Source {
  /** A page of the tests, by number. */
  page: (filter: ResultFilter, page: number) => ReturnType<typeof resultPageQuery>;
  result: (reportId: string, resultId: string) => ReturnType<typeof resultQuery>;
  /** Whether the reader may see the histories of the tests. */
  hasHistory: boolean;
}

export const teamSource = (runId: string): Source => ({
  page: (filter, page) => resultPageQuery(runId, filter, page),
  result: resultQuery,
  hasHistory: true,
});

export const linkSource = (token: string): Source => ({
  page: (filter, page) => sharedPageQuery(token, filter, page),
  result: (reportId, resultId) => sharedResultQuery(token, reportId, resultId),
  hasHistory: false,
});
