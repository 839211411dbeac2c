import { ApiError, type ResultFilter, type RunFilter, type Team } from "@scaledtest/sdk";
import {
  infiniteQueryOptions,
  keepPreviousData,
  QueryClient,
  queryOptions,
  useQuery,
} from "@tanstack/react-query";
import { client, pickTeam } from "./session.ts";

export const RUN_PAGE = 50;
export const RESULT_PAGE = 500;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.temporary),
      retryDelay: (attempt) => Math.min(4000, 400 * 2 ** attempt),
    },
    mutations: { retry: false },
  },
});

/** Everything that depends on the team is under this key, so that a switch starts afresh. */
const scope = (...rest: unknown[]) => ["team", client.teamId ?? "", ...rest];

export const keys = {
  teams: ["teams"] as const,
  runs: () => scope("runs"),
  run: (id: string) => scope("run", id),
  reports: () => scope("reports"),
  projects: () => scope("projects"),
  tokens: () => scope("tokens"),
};

export const teamsQuery = queryOptions({ queryKey: keys.teams, queryFn: () => client.teams(), staleTime: 300_000 });

/** The person's team; undefined until the teams are known, and when there are none. */
export function useTeam(): Team | undefined {
  const teams = useQuery(teamsQuery).data;
  return teams && pickTeam(teams);
}

export const runsQuery = (filter: RunFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.runs(), "list", filter],
    queryFn: ({ pageParam, signal }) =>
      client.runs({ ...filter, limit: RUN_PAGE, ...(pageParam && { cursor: pageParam }) }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });

/** The newest runs, for the dashboard. */
export const newestRunsQuery = () =>
  queryOptions({
    queryKey: [...keys.runs(), "newest"],
    queryFn: ({ signal }) => client.runs({ limit: RUN_PAGE }, signal),
  });

export const reportCountQuery = () =>
  queryOptions({
    queryKey: [...keys.reports(), "count"],
    queryFn: async ({ signal }) => (await client.reports({ limit: 1 }, signal)).total,
  });

export const projectsQuery = () =>
  queryOptions({ queryKey: keys.projects(), queryFn: () => client.projects(), staleTime: 60_000 });

export const runQuery = (id: string) =>
  queryOptions({ queryKey: keys.run(id), queryFn: ({ signal }) => client.run(id, signal) });

/** One page of a run's tests, by number, so that any place in the list can be jumped to. */
export const resultPageQuery = (runId: string, filter: ResultFilter, page: number) =>
  queryOptions({
    queryKey: [...keys.run(runId), "results", filter, page],
    queryFn: ({ signal }) =>
      client.runResults(runId, { ...filter, limit: RESULT_PAGE, ...(page > 0 && { offset: page * RESULT_PAGE }) }, signal),
  });

export const reportQuery = (id: string) =>
  queryOptions({ queryKey: scope("report", id), queryFn: ({ signal }) => client.report(id, signal), staleTime: Infinity });

/** A result never changes, so it is kept for as long as the page is open. */
export const resultQuery = (reportId: string, resultId: string) =>
  queryOptions({
    queryKey: scope("result", reportId, resultId),
    queryFn: ({ signal }) => client.result(reportId, resultId, signal),
    staleTime: Infinity,
  });

export const tokensQuery = (teamId: string) =>
  queryOptions({ queryKey: keys.tokens(), queryFn: () => client.tokens(teamId) });
