import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expect, expectAccessible, showcase, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

/** Chooses a format of the page's export menu, and reads the file. */
async function exported(page: Page, menu: string, format: string): Promise<{ name: string; text: string }> {
  await page.getByRole("button", { name: menu }).click();
  const coming = page.waitForEvent("download");
  await page.getByRole("list", { name: "Formats" }).getByRole("button", { name: format }).click();
  const file = await coming;
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
}

test("a team takes its runs and tests away as files", async ({ page, signedUp }) => {
  const { account, client } = signedUp;
  const { run_id: run } = await client.upload(showcase(), { project: "showcase", branch: "main" });
  await client.insight.listTests();
  await signIn(page, account);

  await test.step("the tests of a run as CSV, NDJSON and CTRF", async () => {
    await page.goto(`/runs/${run}`);
    await page.getByRole("button", { name: "Export run" }).click();
    await expect(page.getByRole("list", { name: "Formats" }).getByRole("button")).toHaveCount(3);
    await inspect(page, "export-menu");
    await page.keyboard.press("Escape");
    const csv = await exported(page, "Export run", "CSV");
    expect(csv.name).toBe(`run-${run}.csv`);
    expect(csv.text.split("\r\n")[0]).toMatch(/^id,report_id,test_id,name,suite,status,/);
    const ndjson = await exported(page, "Export run", "NDJSON");
    const lines = ndjson.text.trim().split("\n").map((line) => JSON.parse(line) as { status: string });
    expect(lines).toHaveLength(56);
    expect(lines.filter(({ status }) => status === "failed")).toHaveLength(15);
    const ctrf = JSON.parse((await exported(page, "Export run", "CTRF")).text) as { reportFormat: string; results: { tests: unknown[] } };
    expect([ctrf.reportFormat, ctrf.results.tests.length]).toEqual(["CTRF", 56]);
  });

  await test.step("the list of runs, by keyboard, with its filters", async () => {
    await page.goto("/reports?branch=main");
    await page.getByRole("button", { name: "Export runs" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    const coming = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    const file = await coming;
    expect(file.suggestedFilename()).toBe("runs.csv");
    expect(readFileSync(await file.path(), "utf8").trim().split("\r\n")).toHaveLength(2);
    await expect(page.getByRole("button", { name: "Export runs" })).toBeFocused();
    await expectAccessible(page, "runs");
  });

  await test.step("the tests of the team", async () => {
    await page.goto("/tests?status=failed");
    const { text } = await exported(page, "Export tests", "NDJSON");
    const statuses = text.trim().split("\n").map((line) => (JSON.parse(line) as { last_status: string }).last_status);
    expect(new Set(statuses)).toEqual(new Set(["failed"]));
  });
});

test("a team shows a badge to anybody, and takes it back", async ({ page, signedUp, browser }) => {
  const { account, client } = signedUp;
  await client.upload(showcase(), { project: "showcase", branch: "main" });
  const project = (await client.projects())[0]?.id ?? "";
  await signIn(page, account);
  const stranger = await (await browser.newContext()).newPage();
  const badge = `${new URL(page.url()).origin}/badges/${project}.svg`;
  expect((await stranger.goto(badge))?.status()).toBe(404);

  await test.step("made public, with Markdown to copy", async () => {
    await page.goto("/team");
    const anybody = page.getByLabel("Anybody who knows their address may see the badges");
    await expect(anybody).toBeEnabled();
    // It stays as it was clicked while that is being saved.
    expect(await anybody.evaluate((box: HTMLInputElement) => { box.click(); return box.checked; })).toBe(true);
    await expect(page.getByText("Saved")).toBeVisible();
    await expect(page.getByLabel("Markdown", { exact: true })).toContainText(`/badges/${project}.svg`);
    const width = page.getByRole("img", { name: "Badge of showcase" }).evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth));
    expect(await width).toBeGreaterThan(50);
    await inspect(page, "badges");
  });

  await test.step("a stranger sees the counts, and then nothing any more", async () => {
    expect((await stranger.goto(badge))?.headers()["content-type"]).toContain("image/svg+xml");
    await expect(stranger.locator("title")).toHaveText("tests: 15 failed");
    await page.getByLabel("Anybody who knows their address may see the badges").uncheck();
    await expect(page.getByLabel("Markdown", { exact: true })).toBeHidden();
    expect((await stranger.request.get(badge)).status()).toBe(404);
  });
  await stranger.context().close();
});
