import {
  ApiError,
  type FlakyOptions,
  type InsightFilter,
  type InsightSpan,
  type RunVerdict,
  type SeriesChoice,
  type TestFilter,
  type TrendOptions,
} from "@scaledtest/sdk";
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { keys, queryClient } from "./queries.ts";
import { client } from "./session.ts";

const { insight } = client;

export const TEST_PAGE = 100;
/** The most that the server answers. */
export const HISTORY = 400;

export const testsQuery = (filter: TestFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.insight(), "tests", filter],
    queryFn: ({ pageParam, signal }) => insight.listTests({ ...filter, limit: TEST_PAGE, ...(pageParam && { cursor: pageParam }) }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });

/** How many tests there are that match. */
export const testCountQuery = (filter: TestFilter) =>
  queryOptions({
    queryKey: [...keys.insight(), "count", filter],
    queryFn: async ({ signal }) => (await insight.listTests({ ...filter, limit: 1 }, signal)).total,
  });

export const testQuery = (id: string, choice: SeriesChoice) =>
  queryOptions({
    queryKey: [...keys.insight(), "test", id, choice],
    queryFn: ({ signal }) => insight.getTest(id, choice, signal),
    placeholderData: keepPreviousData,
  });

export const testHistoryQuery = (id: string, choice: SeriesChoice) =>
  queryOptions({
    queryKey: [...keys.insight(), "history", id, choice],
    queryFn: ({ signal }) => insight.getTestHistory(id, { ...choice, limit: HISTORY }, signal),
    placeholderData: keepPreviousData,
  });

export const ownersQuery = (project: string) =>
  queryOptions({
    queryKey: [...keys.insight(), "owners", project],
    queryFn: ({ signal }) => insight.getProjectOwners(project, signal),
    enabled: project !== "",
  });

export const renamesQuery = (project: string) =>
  queryOptions({
    queryKey: [...keys.insight(), "renames", project],
    queryFn: ({ signal }) => insight.getRenames(project, signal),
    enabled: project !== "",
  });

/** After tests were joined or separated: whatever tells of tests. */
export const refreshTests = () => queryClient.invalidateQueries({ queryKey: keys.insight() });

export const trendsQuery = (options: TrendOptions) =>
  queryOptions({
    queryKey: [...keys.insight(), "trends", options],
    queryFn: async ({ signal }) => (await insight.getTrends(options, signal)).trends,
    placeholderData: keepPreviousData,
  });

export const flakyTestsQuery = (options: FlakyOptions) =>
  queryOptions({
    queryKey: [...keys.insight(), "flaky", options],
    queryFn: async ({ signal }) => (await insight.getFlakyTests(options, signal)).flaky_tests,
    placeholderData: keepPreviousData,
  });

export const errorsQuery = (options: InsightFilter & InsightSpan & { limit?: number }) =>
  queryOptions({
    queryKey: [...keys.insight(), "errors", options],
    queryFn: async ({ signal }) => (await insight.getErrorAnalysis(options, signal)).errors,
    placeholderData: keepPreviousData,
  });

export const errorQuery = (project: string, fingerprint: string) =>
  queryOptions({
    queryKey: [...keys.insight(), "error", project, fingerprint],
    queryFn: ({ signal }) => insight.getError(project, fingerprint, signal),
  });

export const durationsQuery = (options: InsightFilter & InsightSpan) =>
  queryOptions({
    queryKey: [...keys.insight(), "durations", options],
    queryFn: async ({ signal }) => (await insight.getDurationDistribution(options, signal)).distribution,
    placeholderData: keepPreviousData,
  });

export const slowestQuery = (options: { limit?: number; project?: string; branch?: string }) =>
  queryOptions({
    queryKey: [...keys.insight(), "slowest", options],
    queryFn: async ({ signal }) => (await insight.getSlowestTests(options, signal)).slowest_tests,
    placeholderData: keepPreviousData,
  });

/** Null for a run that has none. Under the run's key, for it changes when another of its reports comes. */
export const verdictQuery = (runId: string) =>
  queryOptions({
    queryKey: [...keys.run(runId), "verdict"],
    queryFn: async ({ signal }): Promise<RunVerdict | null> => {
      try {
        return await insight.getRunVerdict(runId, signal);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      }
    },
    // What is missing may never come, and then nothing says so.
    refetchInterval: ({ state }) => (state.data?.state === "pending" ? 10_000 : false),
  });
