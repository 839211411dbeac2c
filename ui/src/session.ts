import { ScaledTest, type Team } from "@scaledtest/sdk";

/** The one client of the page. */
export const client = new ScaledTest();

const TEAM_KEY = "st-team";

let started: Promise<unknown> | undefined;

/** Picks up the session from the refresh cookie, once per page load; a failure to reach the server may be tried again. */
export function startSession(): Promise<unknown> {
  started ??= client.resume().catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  return started;
}

/** Marks the session as known, after a sign-in. */
export function sessionStarted(): void {
  started = Promise.resolve();
  left = false;
}

let left = false;

/** True after a sign-out by hand, when there is nowhere to return to. */
export const hasLeft = () => left;

/** Ends the session here, and on the server if it can be reached. */
export async function signOut(): Promise<void> {
  left = true;
  // The session is gone from this page even if the server does not answer.
  await client.logout().catch(() => undefined);
}

/** The chosen team if it is still one of the person's, else the first. */
export function pickTeam(teams: Team[]): Team | undefined {
  const wanted = client.teamId ?? stored();
  const team = teams.find((candidate) => candidate.id === wanted) ?? teams[0];
  client.teamId = team?.id;
  return team;
}

export function chooseTeam(id: string): void {
  client.teamId = id;
  try {
    localStorage.setItem(TEAM_KEY, id);
  } catch {
    // Without storage the choice lasts until the next reload.
  }
}

function stored(): string | undefined {
  try {
    return localStorage.getItem(TEAM_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
