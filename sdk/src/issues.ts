import { part, type Caller } from "./ask.ts";
import type { ProjectRef } from "./insight.ts";

/** The open ticket of an error. */
export interface OpenIssue {
  id: string;
  /** A link or a key. */
  ticket: string;
  note?: string;
  /** From when on the error counts again. */
  expires_at?: string;
}

/** An error that is, or was, linked to a ticket. */
export interface Issue extends OpenIssue {
  project: ProjectRef;
  fingerprint: string;
  /** What the first failure said; empty if every report with the error was deleted. */
  message: string;
  /** `expired` and `closed`: the error counts again. */
  state: "open" | "expired" | "closed";
  linked_at: string;
  linked_by: string;
  changed_at: string;
  changed_by: string;
  closed_at?: string;
  closed_by?: string;
  /** When something failed so last. */
  last_seen?: string;
}

export interface IssueFilter {
  /** Name or id. */
  project?: string;
  /** `open` when absent. */
  state?: Issue["state"] | "all";
  /** A part of ticket, note or message. */
  text?: string;
}

export interface IssuePage {
  issues: Issue[];
  total: number;
  next_cursor?: string | null;
}

/** What is absent stays; an empty note is none, and with null the issue ends when it is closed. */
export interface IssueTerms {
  /** An http(s) link or a key such as SHOP-123. */
  ticket?: string;
  note?: string;
  expires_at?: string | null;
}

const API = "/api/v1/issues";

/** Errors that a ticket is open for: what fails so holds up nobody. */
export class Issues {
  readonly #ask: Caller;

  constructor(ask: Caller) {
    this.#ask = ask;
  }

  /** What is or was linked, page by page, the newest first. */
  list(filter: IssueFilter & { limit?: number; cursor?: string } = {}, signal?: AbortSignal): Promise<IssuePage> {
    return this.#ask("GET", API, { query: filter, signal });
  }

  get(id: string, signal?: AbortSignal): Promise<Issue> {
    return this.#ask("GET", `${API}/${part(id)}`, { signal });
  }

  /** Links an error of a project, named or by its id, to a ticket. */
  link(error: { project: string; fingerprint: string }, terms: IssueTerms & { ticket: string }): Promise<Issue> {
    return this.#ask("POST", API, { body: { ...error, ...terms } });
  }

  change(id: string, terms: IssueTerms): Promise<Issue> {
    return this.#ask("PATCH", `${API}/${part(id)}`, { body: terms });
  }

  /** What fails so counts again. */
  close(id: string): Promise<Issue> {
    return this.#ask("POST", `${API}/${part(id)}/close`);
  }
}
