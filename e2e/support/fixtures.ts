import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import { expect, test as base, type Locator, type Page } from "@playwright/test";
import { ScaledTest } from "@scaledtest/sdk";

const showcasePath = resolve(import.meta.dirname, "../../testdata/corpus/ctrf/playwright-showcase.json.gz");

/** A real report: 56 tests of two browsers, 15 of them failed. */
export const showcaseText = (): string => gunzipSync(readFileSync(showcasePath)).toString();
/** The same under another report id, for the same id and body are the same upload. */
export const showcase = (): unknown => ({ ...(JSON.parse(showcaseText()) as object), reportId: randomUUID() });

const historyPath = resolve(import.meta.dirname, "../../testdata/corpus/history/pw-shop-24");

interface HistoryRun {
  branch: string;
  commit: string;
  report: object;
}

interface Timed {
  start: number;
  stop: number;
}

/** 24 runs of a shop's tests, a day apart, moved so that the last one was an hour ago. Some tests flake, one broke for good. */
export function shopHistory(): HistoryRun[] {
  const read = (file: string) => JSON.parse(readFileSync(resolve(historyPath, file), "utf8")) as unknown;
  const { runs } = read("truth.json") as { runs: { file: string; branch: string; commit: string; startedAt: string }[] };
  const move = Date.now() - 3_600_000 - Date.parse(runs.at(-1)?.startedAt ?? "");
  return runs.map(({ file, branch, commit }) => {
    const report = read(file) as { timestamp: string; results: { summary: Timed; tests: Partial<Timed>[] } };
    const { summary, tests } = report.results;
    const moved = {
      ...report.results,
      summary: { ...summary, start: summary.start + move, stop: summary.stop + move },
      // What they say of their times is in seconds, and not needed.
      tests: tests.map((test) => ({ ...test, start: undefined, stop: undefined })),
    };
    const timestamp = new Date(Date.parse(report.timestamp) + move).toISOString();
    return { branch, commit, report: { ...report, reportId: randomUUID(), timestamp, results: moved } };
  });
}

export interface Account {
  email: string;
  password: string;
  name: string;
}

export const newAccount = (): Account => ({
  email: `e2e-${randomUUID()}@example.test`,
  password: "correct horse battery staple",
  name: "Ada Lovelace",
});

/** The owner of the instance. Of a server that runs already, E2E_OWNER_EMAIL and E2E_OWNER_PASSWORD must name one. */
export function instanceOwner(): Account {
  const { E2E_OWNER_EMAIL: email, E2E_OWNER_PASSWORD: password } = process.env;
  if (!email || !password) throw new Error("E2E_OWNER_EMAIL and E2E_OWNER_PASSWORD must name the owner of the server at E2E_BASE_URL");
  return { email, password, name: "Olivia Owner" };
}

interface Fixtures {
  /** An account that exists already, and a client signed in as it. */
  signedUp: { account: Account; client: ScaledTest };
  /** Fails the test when the page logs an error or throws. */
  quietConsole: undefined;
}

export const test = base.extend<Fixtures>({
  signedUp: async ({ baseURL }, use) => {
    const account = newAccount();
    const client = new ScaledTest({ baseUrl: baseURL });
    await client.register(account.email, account.password, account.name);
    client.teamId = (await client.teams())[0]?.id;
    await use({ account, client });
  },
  quietConsole: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => {
        // A visitor without a session is told so by a 401, which the browser logs.
        const expected = message.text().includes("status of 401") && message.location().url.endsWith("/auth/refresh");
        if (message.type() === "error" && !expected) problems.push(`${message.text()} (${message.location().url})`);
      });
      await use(undefined);
      expect(problems, "errors in the browser's console").toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export async function signIn(page: Page, account: Account): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Email").fill(account.email);
  await page.getByLabel("Password").fill(account.password);
  await page.getByRole("button", { name: "Sign In" }).click();
  await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
}

/** The tests of an open run. */
export const testsOf = (page: Page): Locator => page.getByRole("listbox", { name: "Tests" }).getByRole("option");

export async function expectAccessible(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help} at ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  expect(found, `accessibility of ${where}`).toEqual([]);
}
