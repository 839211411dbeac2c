import { queryOptions } from "@tanstack/react-query";
import { keys } from "./queries.ts";
import { client } from "./session.ts";

const { gates } = client;

export const gatesQuery = (teamId: string) =>
  queryOptions({
    queryKey: [...keys.gates(), "list"],
    queryFn: async ({ signal }) => (await gates.getQualityGates(teamId, signal)).quality_gates,
  });

/** Under the key of the gates: each evaluation makes it stale. */
export const evaluationsQuery = (teamId: string, gateId: string) =>
  queryOptions({
    queryKey: [...keys.gates(), "evaluations", gateId],
    queryFn: async ({ signal }) => (await gates.listEvaluations(teamId, gateId, 20, signal)).evaluations,
  });

export const waiversQuery = (teamId: string, gateId: string) =>
  queryOptions({
    queryKey: [...keys.gates(), "waivers", gateId],
    queryFn: ({ signal }) => gates.listWaivers(teamId, gateId, signal),
  });

/** Under the run's key, for it changes when another of its reports comes. */
export const runGatesQuery = (runId: string) =>
  queryOptions({
    queryKey: [...keys.run(runId), "gates"],
    queryFn: ({ signal }) => gates.getRunGates(runId, signal),
  });
