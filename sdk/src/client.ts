import { Administration } from "./administration.ts";
import { part, type Caller } from "./ask.ts";
import { abortable, Connection } from "./connection.ts";
import { Exports } from "./exports.ts";
import { Gates } from "./gates.ts";
import { Insight } from "./insight.ts";
import { Issues } from "./issues.ts";
import { Quarantine } from "./quarantine.ts";
import { Shares } from "./shares.ts";
import type * as T from "./types.ts";

/** Speaks to one ScaledTest server: what can be asked, over its connection. */
export class ScaledTest extends Connection {
  readonly #caller: Caller = (method, path, ask) => this.ask(method, path, ask);
  /** What only the owner of the instance may do. */
  readonly admin = new Administration(this.#caller);
  /** What the histories of the team's tests say. */
  readonly insight = new Insight(this.#caller);
  /** What runs have to keep. */
  readonly gates = new Gates(this.#caller);
  /** Flaky tests that hold up nobody, for a while. */
  readonly quarantine = new Quarantine(this.#caller);
  /** Errors that a ticket is open for. */
  readonly issues = new Issues(this.#caller);
  /** Lists and runs as files. */
  readonly exports = new Exports(this.#caller);
  /** Links through which anybody may read a run. */
  readonly shares = new Shares(this.#caller);

  // ---- sign-in -------------------------------------------------------------------------------------------------

  async register(email: string, password: string, displayName: string): Promise<T.Session> {
    return this.signedIn(this.api.POST("/auth/register", { body: { email, password, display_name: displayName } }));
  }

  async login(email: string, password: string): Promise<T.Session> {
    return this.signedIn(this.api.POST("/auth/login", { body: { email, password } }));
  }

  /** Forgets the session here and on the server. */
  async logout(): Promise<void> {
    try {
      await this.read(this.api.POST("/auth/logout"));
    } finally {
      this.teamId = undefined;
      this.setSession(undefined);
    }
  }

  /** What the sign-in pages may offer. */
  signInMethods(): Promise<T.SignInMethods> {
    return this.ask("GET", "/api/v1/auth/methods", { public: true });
  }

  /** Asks for a mail with a link; the answer is the same whether there is such an account or not. */
  async forgotPassword(email: string): Promise<void> {
    await this.ask("POST", "/api/v1/auth/forgot-password", { body: { email }, public: true });
  }

  /** Sets a new password with the token of a mail. Every session of the account ends. */
  async resetPassword(token: string, password: string): Promise<void> {
    await this.ask("POST", "/api/v1/auth/reset-password", { body: { token, password }, public: true });
  }

  async verifyEmail(token: string): Promise<void> {
    await this.ask("POST", "/api/v1/auth/verify-email", { body: { token }, public: true });
    if (this.session) this.setUser({ ...this.session.user, email_verified: true });
  }

  /** Exchanges the OIDC token of a pipeline for a short-lived one that uploads to the team which trusts it. */
  exchangeOidcToken(token: string, teamId?: string): Promise<T.ExchangedToken> {
    return this.ask("POST", "/api/v1/auth/oidc-exchange", { body: { token, team_id: teamId }, public: true });
  }

  // ---- one's own account ---------------------------------------------------------------------------------------

  me(): Promise<T.User> {
    return this.ask("GET", "/api/v1/auth/me");
  }

  async updateProfile(displayName: string): Promise<T.User> {
    const user = await this.ask<T.User>("PATCH", "/api/v1/auth/me", { body: { display_name: displayName } });
    this.setUser(user);
    return user;
  }

  /** Changes the password; every other session ends. */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    const body = { current_password: currentPassword, new_password: newPassword };
    await this.ask("POST", "/api/v1/auth/change-password", { body });
  }

  async resendVerification(): Promise<void> {
    await this.ask("POST", "/api/v1/auth/resend-verification");
  }

  async identities(): Promise<T.Identity[]> {
    return (await this.ask<{ identities: T.Identity[] }>("GET", "/api/v1/auth/identities")).identities;
  }

  /** Lets an account elsewhere sign one in no longer; refused (`last_way_in`) if nothing else would. */
  async unlinkIdentity(identityId: string): Promise<void> {
    await this.ask("DELETE", `/api/v1/auth/identities/${part(identityId)}`);
  }

  /** Where one is signed in, the latest used first. */
  async sessions(): Promise<T.DeviceSession[]> {
    return (await this.ask<{ sessions: T.DeviceSession[] }>("GET", "/api/v1/auth/sessions")).sessions;
  }

  async endSession(sessionId: string): Promise<void> {
    await this.ask("DELETE", `/api/v1/auth/sessions/${part(sessionId)}`);
  }

  /** Ends every other session; answers how many there were. */
  async endOtherSessions(): Promise<number> {
    return (await this.ask<{ ended: number }>("DELETE", "/api/v1/auth/sessions")).ended;
  }

  // ---- teams and their people ----------------------------------------------------------------------------------

  createTeam(name: string): Promise<T.TeamFacts> {
    return this.ask("POST", "/api/v1/teams", { body: { name } });
  }

  team(teamId: string): Promise<T.TeamDetail> {
    return this.ask("GET", team(teamId));
  }

  async renameTeam(teamId: string, name: string): Promise<T.TeamFacts> {
    return (await this.ask<{ team: T.TeamFacts }>("PATCH", team(teamId), { body: { name } })).team;
  }

  /** Shows the badges of the team's projects to anybody, or to nobody. */
  async showBadges(teamId: string, isPublic: boolean): Promise<void> {
    await this.ask("PUT", `${team(teamId)}/badges`, { body: { public: isPublic } });
  }

  /** For how many days the results of new reports are kept; null for what the instance says. */
  async changeRetention(teamId: string, days: T.RetentionDays | null): Promise<void> {
    await this.ask("PUT", `${team(teamId)}/retention`, { body: { days } });
  }

  /** Deletes the team with everything in it. */
  async deleteTeam(teamId: string): Promise<void> {
    await this.ask("DELETE", team(teamId));
  }

  /** Makes another member owner; the caller becomes maintainer. */
  async transferTeam(teamId: string, userId: string): Promise<void> {
    await this.ask("POST", `${team(teamId)}/transfer`, { body: { user_id: userId } });
  }

  async members(teamId: string): Promise<T.Member[]> {
    return (await this.ask<{ members: T.Member[] }>("GET", `${team(teamId)}/members`)).members;
  }

  async setMemberRole(teamId: string, userId: string, role: T.TeamRole): Promise<void> {
    await this.ask("PATCH", `${team(teamId)}/members/${part(userId)}`, { body: { role } });
  }

  /** Takes a member out of the team; oneself, to leave it. */
  async removeMember(teamId: string, userId: string): Promise<void> {
    await this.ask("DELETE", `${team(teamId)}/members/${part(userId)}`);
  }

  async invitations(teamId: string): Promise<T.Invitation[]> {
    return (await this.ask<{ invitations: T.Invitation[] }>("GET", `${team(teamId)}/invitations`)).invitations;
  }

  createInvitation(teamId: string, email: string, role: T.TeamRole): Promise<T.CreatedInvitation> {
    return this.ask("POST", `${team(teamId)}/invitations`, { body: { email, role } });
  }

  async revokeInvitation(teamId: string, invitationId: string): Promise<void> {
    await this.ask("DELETE", `${team(teamId)}/invitations/${part(invitationId)}`);
  }

  /** A new link and another 7 days; the old link no longer works. */
  resendInvitation(teamId: string, invitationId: string): Promise<T.CreatedInvitation> {
    return this.ask("POST", `${team(teamId)}/invitations/${part(invitationId)}/resend`);
  }

  previewInvitation(token: string): Promise<T.InvitationPreview> {
    return this.ask("GET", `/api/v1/invitations/${part(token)}`, { public: true });
  }

  /** Accepts with a password, for a new account also a name; without either as the account that is signed in. */
  acceptInvitation(token: string, by?: { password: string; displayName?: string }): Promise<T.AcceptedInvitation> {
    const body = by ? { password: by.password, display_name: by.displayName ?? "" } : {};
    return this.ask("POST", `/api/v1/invitations/${part(token)}/accept`, { body, public: by !== undefined });
  }

  trustedPublishers(teamId: string): Promise<T.TrustedPublishers> {
    return this.ask("GET", `${team(teamId)}/trusted-publishers`);
  }

  trustPublisher(teamId: string, publisher: T.NewPublisher): Promise<T.TrustedPublisher> {
    return this.ask("POST", `${team(teamId)}/trusted-publishers`, { body: publisher });
  }

  async removePublisher(teamId: string, publisherId: string): Promise<void> {
    await this.ask("DELETE", `${team(teamId)}/trusted-publishers/${part(publisherId)}`);
  }

  // ---- teams and tokens ----------------------------------------------------------------------------------------

  async teams(): Promise<T.Team[]> {
    return (await this.read(this.api.GET("/api/v1/teams"))).teams;
  }

  async tokens(teamId: string): Promise<T.ApiToken[]> {
    return (await this.read(this.api.GET("/api/v1/teams/{team_id}/tokens", at({ team_id: teamId })))).tokens;
  }

  createToken(teamId: string, token: { name: string; scopes?: string[]; expires_at?: string }): Promise<T.CreatedToken> {
    return this.read(this.api.POST("/api/v1/teams/{team_id}/tokens", { ...at({ team_id: teamId }), body: token }));
  }

  async deleteToken(teamId: string, tokenId: string): Promise<void> {
    const path = at({ team_id: teamId, token_id: tokenId });
    await this.read(this.api.DELETE("/api/v1/teams/{team_id}/tokens/{token_id}", path));
  }

  // ---- reports and runs ----------------------------------------------------------------------------------------

  /** Uploads a report. With an idempotency key a repeated call answers the first one's report. */
  upload(report: unknown, options: T.UploadOptions = {}, idempotencyKey?: string): Promise<T.Accepted> {
    return this.read(
      this.api.POST("/api/v1/reports", {
        params: { query: options },
        body: report as never,
        ...(idempotencyKey === undefined ? {} : { headers: { "Idempotency-Key": idempotencyKey } }),
      }),
    );
  }

  projects(): Promise<T.Project[]> {
    return this.read(this.api.GET("/api/v1/projects")).then((page) => page.projects);
  }

  runs(filter: T.RunFilter & T.Page = {}, signal?: AbortSignal): Promise<T.RunPage> {
    return this.read(this.api.GET("/api/v1/runs", { params: { query: filter }, ...abortable(signal) }));
  }

  run(id: string, signal?: AbortSignal): Promise<T.RunDetail> {
    return this.read(this.api.GET("/api/v1/runs/{id}", { ...at({ id }), ...abortable(signal) }));
  }

  runResults(id: string, filter: T.ResultFilter & T.Page = {}, signal?: AbortSignal): Promise<T.ResultPage> {
    const { status, ...rest } = filter;
    const query = { ...rest, ...(status?.length ? { status: status.join(",") } : {}) };
    return this.read(
      this.api.GET("/api/v1/runs/{id}/results", { params: { path: { id }, query }, ...abortable(signal) }),
    );
  }

  reports(filter: T.RunFilter & T.Page = {}, signal?: AbortSignal): Promise<T.ReportPage> {
    return this.read(this.api.GET("/api/v1/reports", { params: { query: filter }, ...abortable(signal) }));
  }

  report(id: string, signal?: AbortSignal): Promise<T.ReportDetail> {
    return this.read(this.api.GET("/api/v1/reports/{id}", { ...at({ id }), ...abortable(signal) }));
  }

  /** Keeps the results of a run beyond their time, or no longer than others. */
  pinRun(id: string, keep: boolean): Promise<T.RunRetention> {
    return this.ask(keep ? "PUT" : "DELETE", `/api/v1/runs/${part(id)}/pin`);
  }

  async deleteReport(id: string): Promise<void> {
    await this.read(this.api.DELETE("/api/v1/reports/{id}", at({ id })));
  }

  result(reportId: string, resultId: string, signal?: AbortSignal): Promise<T.TestResultDetail> {
    return this.read(
      this.api.GET("/api/v1/reports/{id}/results/{result_id}", {
        ...at({ id: reportId, result_id: resultId }),
        ...abortable(signal),
      }),
    );
  }

  /** What differs between two reports or runs, test by test. */
  compareReports(base: string, head: string, signal?: AbortSignal): Promise<T.ReportComparison> {
    return this.read(
      this.api.GET("/api/v1/reports/compare", { params: { query: { base, head } }, ...abortable(signal) }),
    );
  }

  /** Which tests fail significantly more or less often on a branch or in an environment than on or in another. */
  compareBranches(query: T.BranchQuery, signal?: AbortSignal): Promise<T.BranchComparison> {
    return this.read(this.api.GET("/api/v1/compare/branches", { params: { query }, ...abortable(signal) }));
  }

  /** The document as it was uploaded. */
  raw(reportId: string): Promise<Blob> {
    return this.read<Blob>(this.api.GET("/api/v1/reports/{id}/raw", { ...at({ id: reportId }), parseAs: "blob" }));
  }
}

function at<P>(path: P): { params: { path: P } } {
  return { params: { path } };
}

const team = (teamId: string) => `/api/v1/teams/${part(teamId)}`;
