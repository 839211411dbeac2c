/** What the codes mean with which sign-in through another service comes back. */
const SIGN_IN: Record<string, string> = {
  oauth_denied: "The other service did not let you in, or you cancelled there.",
  oauth_state: "That sign-in took too long or began in another browser. Please start again.",
  oauth_failed: "The other service did not answer as expected. Please try again.",
  oauth_email_unverified: "The other service has not verified your e-mail address. Verify it there, then try again.",
  oauth_account_exists: "There is an account with this e-mail address already. Sign in with its password, then link the two on your profile page.",
  registration_closed: "New accounts need an invitation here. Ask somebody of your team for one.",
  email_domain_not_allowed: "Accounts with this e-mail domain are not allowed here.",
  email_not_verified: "Your e-mail address is not verified yet. Open the link that was mailed to it, then sign in.",
  account_disabled: "This account is switched off. Ask the owner of this server.",
};

/** The sentence for `/login?error=<code>`; nothing of the address itself is shown. */
export function signInProblem(code: string | undefined): string | undefined {
  if (code === undefined || code === "") return undefined;
  return Object.hasOwn(SIGN_IN, code) ? SIGN_IN[code] : "The sign-in did not work. Please try again.";
}

/** What is not the same when somebody who is signed in links an account elsewhere. */
const LINK: Record<string, string> = {
  oauth_account_exists: "That account is linked to somebody else here already.",
  session_over: "The session in which you began to link an account is over. Please start again.",
};

/** The sentence for `/profile?error=<code>`. */
export function linkProblem(code: string | undefined): string | undefined {
  return code !== undefined && Object.hasOwn(LINK, code) ? LINK[code] : signInProblem(code);
}

const INVITATION: Record<string, { title: string; text: string }> = {
  invitation_not_found: { title: "No such invitation", text: "The link may be cut off, or the invitation was withdrawn." },
  invitation_accepted: { title: "Already accepted", text: "This invitation was used. Sign in to go to your team." },
  invitation_expired: { title: "This invitation has expired", text: "Ask the person who invited you to send it again." },
};

/** What to tell somebody whose invitation is no good; nothing for other errors. */
export function invitationProblem(code: string): { title: string; text: string } | undefined {
  return Object.hasOwn(INVITATION, code) ? INVITATION[code] : undefined;
}

/** A time to wait: `1 second`, `45 seconds`, `3 minutes`. */
export function formatWait(seconds: number): string {
  const [count, unit] = seconds < 60 ? [Math.max(1, Math.ceil(seconds)), "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${String(count)} ${unit}${count === 1 ? "" : "s"}`;
}

/** An action or type of the audit log for people: `member.role_changed` becomes "Member role changed". */
export function humanize(word: string): string {
  const text = word.replaceAll(/[._]+/g, " ").trim();
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** The facts beside an entry of the audit log, on one line: `role maintainer · before readonly`. */
export function metadataLine(metadata: Record<string, unknown> | null | undefined): string {
  return Object.entries(metadata ?? {})
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" · ");
}
