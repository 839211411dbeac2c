import { ScaledTest, type Team, type User } from "@scaledtest/sdk";
import { useSyncExternalStore } from "react";
import { chooseFrom } from "./lib/team.ts";

/** The one client of the page. */
export const client = new ScaledTest();

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

/** The signed-in person; renewed when their name or role changes. */
export const useUser = (): User | undefined =>
  useSyncExternalStore((onChange) => client.onSession(onChange), () => client.session?.user);

// ---- the team ----------------------------------------------------------------------------------------------------

const teamListeners = new Set<() => void>();

/** The choice is kept for each person of this browser. */
const teamKey = () => `st-team:${client.session?.user.id ?? ""}`;

/** The chosen team if it is still one of the person's, else the first. */
function pickTeam(teams: Team[]): Team | undefined {
  const team = chooseFrom(teams, client.teamId ?? stored());
  client.teamId = team?.id;
  return team;
}

/** As `pickTeam`, and again whenever another team is chosen. */
export function useTeamOf(teams: Team[] | undefined): Team | undefined {
  useSyncExternalStore(onTeam, () => client.teamId);
  return teams && pickTeam(teams);
}

function onTeam(listener: () => void): () => void {
  teamListeners.add(listener);
  return () => teamListeners.delete(listener);
}

export function chooseTeam(id: string): void {
  client.teamId = id;
  try {
    localStorage.setItem(teamKey(), id);
  } catch {
    // Without storage the choice lasts until the next reload.
  }
  for (const listener of teamListeners) listener();
}

function stored(): string | undefined {
  try {
    return localStorage.getItem(teamKey()) ?? undefined;
  } catch {
    return undefined;
  }
}
