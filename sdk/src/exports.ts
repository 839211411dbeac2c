import { part, type Ask, type Caller } from "./ask.ts";
import type { TestFilter } from "./insight.ts";
import type { ResultFilter, RunFilter } from "./types.ts";

/** What a list can be had as, beside JSON. */
export type ExportFormat = "csv" | "ndjson";

/** Lists and runs as files: all of a list that matches, however many pages that would be. */
export class Exports {
  readonly #call: Caller;

  constructor(call: Caller) {
    this.#call = call;
  }

  runs(format: ExportFormat, filter: RunFilter = {}): Promise<Blob> {
    return this.#file("/api/v1/runs", { ...filter, format });
  }

  runResults(runId: string, format: ExportFormat, filter: ResultFilter = {}): Promise<Blob> {
    return this.#file(`/api/v1/runs/${part(runId)}/results`, { ...filter, format });
  }

  tests(format: ExportFormat, filter: TestFilter = {}): Promise<Blob> {
    return this.#file("/api/v1/tests", { ...filter, format });
  }

  /** A run as one CTRF document, with everything that is known of its tests. */
  runCtrf(runId: string): Promise<Blob> {
    return this.#file(`/api/v1/runs/${part(runId)}/ctrf`, {});
  }

  reportCtrf(reportId: string): Promise<Blob> {
    return this.#file(`/api/v1/reports/${part(reportId)}/ctrf`, {});
  }

  #file(path: string, values: object): Promise<Blob> {
    const query = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") || undefined : (value as unknown)]));
    const ask: Ask = { query, parseAs: "blob" };
    return this.#call<Blob>("GET", path, ask);
  }
}
