import type { QuarantineFilter } from "@scaledtest/sdk";
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { keys, queryClient } from "./queries.ts";
import { client } from "./session.ts";

const { quarantine } = client;

const PAGE = 100;

/** With the other insight, for what is in quarantine shows wherever tests are shown. */
const scope = (...rest: unknown[]) => [...keys.insight(), "quarantine", ...rest];

export const entriesQuery = (filter: QuarantineFilter) =>
  infiniteQueryOptions({
    queryKey: scope("entries", filter),
    queryFn: ({ pageParam, signal }) => quarantine.list({ ...filter, limit: PAGE, ...(pageParam && { cursor: pageParam }) }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });

export const entryQuery = (id: string) =>
  queryOptions({ queryKey: scope("entry", id), queryFn: ({ signal }) => quarantine.get(id, signal) });

export const summaryQuery = (project: string | undefined) =>
  queryOptions({
    queryKey: scope("summary", project),
    queryFn: ({ signal }) => quarantine.summary({ project }, signal),
    placeholderData: keepPreviousData,
  });

export const policyQuery = (project: string) =>
  queryOptions({ queryKey: scope("policy", project), queryFn: ({ signal }) => quarantine.policy(project, signal) });

/** After a change: the lists, the pages of the tests and the verdicts. */
export const refreshQuarantine = () => queryClient.invalidateQueries({ queryKey: keys.insight() });
