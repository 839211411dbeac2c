import type { IssueFilter } from "@scaledtest/sdk";
import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { keys, queryClient } from "./queries.ts";
import { client } from "./session.ts";

const PAGE = 100;

/** With the other insight, for a ticket shows wherever its error is shown. */
export const issuesQuery = (filter: IssueFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.insight(), "issues", filter],
    queryFn: ({ pageParam, signal }) => client.issues.list({ ...filter, limit: PAGE, ...(pageParam && { cursor: pageParam }) }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });

/** Where tickets are shown: beside errors, and in the verdicts of runs. */
export const touchedByIssues = () => [keys.insight(), keys.run("").slice(0, -1)];

/** After a change. */
export const refreshIssues = () => Promise.all(touchedByIssues().map((queryKey) => queryClient.invalidateQueries({ queryKey })));
