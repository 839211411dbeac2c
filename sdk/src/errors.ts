import type { ProjectRef } from "./insight.ts";
import type { OpenIssue } from "./issues.ts";

export interface TestError {
  fingerprint: string;
  issue?: OpenIssue;
  message: string;
  /** Fingerprints of the error that the test failed with. */
  variants: number;
  failures: number;
  first_seen: string;
  last_seen: string;
}

/** Failures that say the same, or nearly: one error. */
export interface ErrorCluster {
  /** Of the first of its variants: the error's id. */
  fingerprint: string;
  project_id: string;
  issue?: OpenIssue;
  /** What the first of them said. */
  message: string;
  /** Fingerprints that it has. */
  variants: number;
  /** Failures. */
  count: number;
  /** At most 20; `tests` says how many there are. */
  test_names: string[];
  tests: number;
  branches: string[];
  first_seen: string;
  last_seen: string;
}

/** Failures of an error with the same fingerprint. */
export interface ErrorVariant {
  fingerprint: string;
  /** The innermost frame of the project's own code: file and function. */
  place?: string;
  /** The first line, without what differs from run to run; empty if nothing was said. */
  headline: string;
  /** What the first of them said. */
  message: string;
  failures: number;
  first_seen: string;
  last_seen: string;
}

/** An error over all time. */
export interface ErrorDetail {
  /** Of the first of its variants: the error's id. */
  fingerprint: string;
  issue?: OpenIssue;
  project: ProjectRef;
  message: string;
  failures: number;
  /** Most frequent first, at most 20. */
  branches: string[];
  first_seen: string;
  last_seen: string;
  tests_total: number;
  /** Most frequent first, at most 200. */
  tests: { id: string; name: string; suite: string[]; failures: number }[];
  variants_total: number;
  /** The first one first, at most 200. */
  variants: ErrorVariant[];
}
