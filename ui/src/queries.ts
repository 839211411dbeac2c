import { ApiError, type AuditFilter, type ResultFilter, type RunFilter, type Team } from "@scaledtest/sdk";
import {
  infiniteQueryOptions,
  keepPreviousData,
  QueryCache,
  QueryClient,
  queryOptions,
  useQuery,
} from "@tanstack/react-query";
import { client, useTeamOf } from "./session.ts";

export const RUN_PAGE = 50;
export const RESULT_PAGE = 500;

/** The words for a team that is no longer the caller's. */
const NO_TEAM = new Set(["team_not_found", "not_a_member"]);

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (error instanceof ApiError && NO_TEAM.has(error.code)) void queryClient.invalidateQueries({ queryKey: keys.teams });
    },
  }),
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
  insight: () => scope("insight"),
  gates: () => scope("gates"),
  tokens: () => scope("tokens"),
  shares: () => scope("shares"),
  team: () => scope("detail"),
  members: () => scope("members"),
  invitations: () => scope("invitations"),
  publishers: () => scope("publishers"),
  sessions: ["sessions"] as const,
  identities: ["identities"] as const,
  admin: (...rest: unknown[]) => ["admin", ...rest],
};

export const teamsQuery = queryOptions({ queryKey: keys.teams, queryFn: () => client.teams() });

/** The person's team; undefined until the teams are known, and when there are none. */
export function useTeam(): Team | undefined {
  return useTeamOf(useQuery(teamsQuery).data);
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

/** Under the key of the runs: a report more may change what differs. */
export const comparisonQuery = (base: string, head: string) =>
  queryOptions({
    queryKey: [...keys.runs(), "compare", base, head],
    queryFn: ({ signal }) => client.compareReports(base, head, signal),
  });

/** The newest run of the same project and branch before a run; null when it is the first. */
export const runBeforeQuery = (id: string) =>
  queryOptions({
    queryKey: [...keys.runs(), "before", id],
    queryFn: async ({ signal }) => {
      const { project, branch, created_at } = await client.run(id, signal);
      const filter = { project, ...(branch && { branch }), until: created_at, limit: RUN_PAGE };
      const { runs } = await client.runs(filter, signal);
      // Without a branch the list has those of every branch.
      const before = runs.slice(runs.findIndex((run) => run.id === id) + 1);
      return before.find((run) => (run.branch ?? "") === (branch ?? "")) ?? null;
    },
  });

const pageOf = (page: number) => ({ limit: RESULT_PAGE, ...(page > 0 && { offset: page * RESULT_PAGE }) });

/** One page of a run's tests, by number, so that any place in the list can be jumped to. */
export const resultPageQuery = (runId: string, filter: ResultFilter, page: number) =>
  queryOptions({
    queryKey: [...keys.run(runId), "results", filter, page],
    queryFn: ({ signal }) => client.runResults(runId, { ...filter, ...pageOf(page) }, signal),
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

// ---- links to runs -----------------------------------------------------------------------------------------------

/** The links to a run that are good. */
export const sharesQuery = (runId: string) =>
  queryOptions({ queryKey: [...keys.shares(), runId], queryFn: ({ signal }) => client.shares.list(runId, signal) });

/** What is read through a link belongs to no team. */
const shared = (...rest: unknown[]) => ["shared", ...rest];

export const sharedRunQuery = (token: string) =>
  queryOptions({ queryKey: shared(token), queryFn: ({ signal }) => client.shares.run(token, signal) });

export const sharedPageQuery = (token: string, filter: ResultFilter, page: number) =>
  queryOptions({
    queryKey: shared(token, "results", filter, page),
    queryFn: ({ signal }) => client.shares.results(token, { ...filter, ...pageOf(page) }, signal),
  });

export const sharedResultQuery = (token: string, reportId: string, resultId: string) =>
  queryOptions({
    queryKey: shared(token, "result", reportId, resultId),
    queryFn: ({ signal }) => client.shares.result(token, reportId, resultId, signal),
    staleTime: Infinity,
  });

export const tokensQuery = (teamId: string) =>
  queryOptions({ queryKey: keys.tokens(), queryFn: () => client.tokens(teamId) });

// ---- the team and its people -------------------------------------------------------------------------------------

export const teamQuery = (teamId: string) => queryOptions({ queryKey: keys.team(), queryFn: () => client.team(teamId) });

export const membersQuery = (teamId: string) =>
  queryOptions({ queryKey: keys.members(), queryFn: () => client.members(teamId) });

export const invitationsQuery = (teamId: string) =>
  queryOptions({ queryKey: keys.invitations(), queryFn: () => client.invitations(teamId) });

export const publishersQuery = (teamId: string) =>
  queryOptions({ queryKey: keys.publishers(), queryFn: () => client.trustedPublishers(teamId) });

// ---- sign-in and one's own account -------------------------------------------------------------------------------

export const methodsQuery = queryOptions({ queryKey: ["sign-in-methods"], queryFn: () => client.signInMethods(), staleTime: 300_000 });

export const invitationQuery = (token: string) =>
  queryOptions({ queryKey: ["invitation", token], queryFn: () => client.previewInvitation(token), staleTime: Infinity });

export const sessionsQuery = queryOptions({ queryKey: keys.sessions, queryFn: () => client.sessions() });

export const identitiesQuery = queryOptions({ queryKey: keys.identities, queryFn: () => client.identities() });

// ---- administration ----------------------------------------------------------------------------------------------

export const ADMIN_PAGE = 10;
export const AUDIT_PAGE = 20;

export const adminUsersQuery = (search: string | undefined, offset: number, limit = ADMIN_PAGE) =>
  queryOptions({
    queryKey: keys.admin("users", search, offset, limit),
    queryFn: () => client.admin.users({ limit, offset, search }),
    placeholderData: keepPreviousData,
  });

export const adminTeamsQuery = (search: string | undefined, offset: number, limit = ADMIN_PAGE) =>
  queryOptions({
    queryKey: keys.admin("teams", search, offset, limit),
    queryFn: () => client.admin.teams({ limit, offset, search }),
    placeholderData: keepPreviousData,
  });

export const auditQuery = (filter: AuditFilter, offset: number) =>
  queryOptions({
    queryKey: keys.admin("audit", filter, offset),
    queryFn: () => client.admin.auditLog({ ...filter, limit: AUDIT_PAGE, offset }),
    placeholderData: keepPreviousData,
    staleTime: 0,
  });

/** Every action that the log knows, for a choice. */
export const auditActionsQuery = queryOptions({
  queryKey: keys.admin("actions"),
  queryFn: async () => (await client.admin.auditLog({ limit: 1 })).actions,
  staleTime: 300_000,
});

export const storageQuery = queryOptions({ queryKey: keys.admin("storage"), queryFn: () => client.admin.storage() });

export const settingsQuery = queryOptions({ queryKey: keys.admin("settings"), queryFn: () => client.admin.settings() });
