import { part, type Caller } from "./ask.ts";
import type * as T from "./types.ts";

interface Listing {
  limit?: number;
  offset?: number;
  search?: string;
}

const ADMIN = "/api/v1/admin";

/** What only the owner of the instance may do, signed in as a person. */
export class Administration {
  readonly #ask: Caller;

  constructor(ask: Caller) {
    this.#ask = ask;
  }

  /** Everybody with an account, the newest first. */
  users(listing: Listing = {}): Promise<{ users: T.AdminUser[]; total: number }> {
    return this.#ask("GET", `${ADMIN}/users`, { query: listing });
  }

  updateUser(userId: string, change: { disabled?: boolean; role?: T.User["role"] }): Promise<T.AdminUser> {
    return this.#ask("PATCH", `${ADMIN}/users/${part(userId)}`, { body: change });
  }

  /** Makes a link with which the person sets a new password, and ends their sessions. */
  resetPassword(userId: string): Promise<T.PasswordReset> {
    return this.#ask("POST", `${ADMIN}/users/${part(userId)}/reset-password`);
  }

  teams(listing: Listing = {}): Promise<{ teams: T.AdminTeam[]; total: number }> {
    return this.#ask("GET", `${ADMIN}/teams`, { query: listing });
  }

  /** Who did what, the latest first. */
  auditLog(filter: T.AuditFilter & T.Page = {}): Promise<T.AuditPage> {
    return this.#ask("GET", `${ADMIN}/audit-log`, { query: filter });
  }

  auditLogCsv(filter: T.AuditFilter = {}): Promise<Blob> {
    return this.#ask("GET", `${ADMIN}/audit-log.csv`, { query: filter, parseAs: "blob" });
  }

  /** What the data take, and for how long the disk suffices. */
  storage(): Promise<T.Storage> {
    return this.#ask("GET", `${ADMIN}/storage`);
  }

  async settings(): Promise<T.InstanceSetting[]> {
    return (await this.#ask<{ settings: T.InstanceSetting[] }>("GET", `${ADMIN}/settings`)).settings;
  }
}
