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
