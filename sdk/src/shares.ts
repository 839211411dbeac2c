import { part, type Caller } from "./ask.ts";
import type { components } from "./schema.ts";
import type { Page, ResultFilter, ResultPage, TestResultDetail } from "./types.ts";

type Schemas = components["schemas"];

/** A link through which anybody may read a run. */
export type Share = Schemas["Share"];
/** A run, for whoever holds a link to it. */
export type SharedRun = Schemas["SharedRun"];
/** A report of a shared run. */
export type SharedReport = Schemas["SharedReport"];

const API = "/api/v1";

/** Links to runs: made and revoked by members of the team, and read by whoever holds one, without an account. */
export class Shares {
  readonly #ask: Caller;

  constructor(ask: Caller) {
    this.#ask = ask;
  }

  /** The links to a run that are good, newest first. */
  async list(runId: string, signal?: AbortSignal): Promise<Share[]> {
    return (await this.#ask<{ shares: Share[] }>("GET", `${API}/runs/${part(runId)}/shares`, { signal })).shares;
  }

  /** Makes a link that is good for 1 to 365 days, 30 when absent. */
  create(runId: string, options: { expiresInDays?: number } = {}): Promise<Share> {
    const body = { expires_in_days: options.expiresInDays };
    return this.#ask("POST", `${API}/runs/${part(runId)}/shares`, { body });
  }

  /** Makes a link useless, at once. */
  async revoke(shareId: string): Promise<void> {
    await this.#ask("DELETE", `${API}/shares/${part(shareId)}`);
  }

  /** The run of a link. `share_not_found` whether it is wrong, expired or revoked. */
  run(token: string, signal?: AbortSignal): Promise<SharedRun> {
    return this.#ask("GET", `${API}/shared/${part(token)}`, { public: true, signal });
  }

  results(token: string, filter: ResultFilter & Page = {}, signal?: AbortSignal): Promise<ResultPage> {
    const { status, ...rest } = filter;
    const query = { ...rest, ...(status?.length ? { status: status.join(",") } : {}) };
    return this.#ask("GET", `${API}/shared/${part(token)}/results`, { public: true, query, signal });
  }

  result(token: string, reportId: string, resultId: string, signal?: AbortSignal): Promise<TestResultDetail> {
    const path = `${API}/shared/${part(token)}/results/${part(reportId)}/${part(resultId)}`;
    return this.#ask("GET", path, { public: true, signal });
  }
}
