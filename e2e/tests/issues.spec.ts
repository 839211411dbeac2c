import { expect, shopHistory, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

const BROKEN = "downloads an invoice";
const TICKET = "https://tracker.example/browse/SHOP-7";

test("an error is linked to a ticket where it failed, excuses the next run, and is closed", async ({ page, signedUp }) => {
  test.setTimeout(300_000);
  const { account, client } = signedUp;
  // It breaks in the 15th run and fails alike until the 18th.
  const runs = shopHistory().slice(0, 16);
  const ids: string[] = [];
  for (const { report, branch, commit } of runs.slice(0, 15)) ids.push((await client.upload(report, { project: "shop", branch, commit })).run_id);
  await signIn(page, account);
  const judged = page.getByRole("list", { name: "Judged tests" }).getByRole("listitem").filter({ hasText: BROKEN });
  const dialog = page.getByRole("dialog");

  await test.step("from the verdict of the run that broke it", async () => {
    await page.goto(`/runs/${ids.at(-1) ?? ""}`);
    await expect(judged).toContainText("Regression");
    await judged.getByRole("button", { name: `Link a ticket to ${BROKEN}` }).click();
    await dialog.getByLabel("Ticket").fill("no ticket");
    await dialog.getByRole("button", { name: "Link" }).click();
    expect(await dialog.getByLabel("Ticket").evaluate((field: HTMLInputElement) => field.validity.patternMismatch)).toBe(true);
    await dialog.getByLabel("Ticket").fill(TICKET);
    await dialog.getByLabel("Note").fill("Invoices are being rewritten.");
    await inspect(page, "issue-dialog");
    await dialog.getByRole("button", { name: "Link" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(judged.getByRole("link", { name: "SHOP-7" })).toHaveAttribute("href", TICKET);
    await expect(judged).toContainText("linked to a ticket after the run");
  });

  await test.step("the next run is judged by it", async () => {
    const now = new Date();
    const { report, branch, commit } = runs.at(-1) ?? { report: {}, branch: "", commit: "" };
    const last = report as { results: { summary: object } };
    const body = { ...last, timestamp: now.toISOString(), results: { ...last.results, summary: { ...last.results.summary, start: now.getTime(), stop: now.getTime() } } };
    const { run_id: id } = await client.upload(body, { project: "shop", branch, commit });
    await page.goto(`/runs/${id}`);
    await expect(judged).toContainText("Known issue");
    await expect(judged.getByRole("link", { name: "SHOP-7" })).toBeVisible();
    await inspect(page, "run-known-issue");
  });

  await test.step("the errors of the team and of the test name it", async () => {
    await judged.getByRole("link", { name: BROKEN }).click();
    await expect(page.getByRole("table", { name: "Errors" }).getByRole("link", { name: "SHOP-7" })).toBeVisible();
    await page.getByRole("table", { name: "Errors" }).scrollIntoViewIfNeeded();
    await inspect(page, "test-issue");
    await page.getByRole("link", { name: "Analytics", exact: true }).click();
    const errors = page.getByRole("table", { name: "Errors" });
    await expect(errors.getByRole("link", { name: "SHOP-7" })).toBeVisible();
    await errors.scrollIntoViewIfNeeded();
    await inspect(page, "analytics-issues");
    await errors.getByRole("row").filter({ hasText: "SHOP-7" }).getByRole("link").first().click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText("Cannot read properties of undefined");
    await expect(page.getByRole("link", { name: "SHOP-7" })).toBeVisible();
    await expect(page.getByRole("table", { name: "Tests" }).getByRole("link", { name: BROKEN })).toBeVisible();
    await inspect(page, "error");
  });

  await test.step("it is listed, changed, closed, and listed as such", async () => {
    await page.getByRole("link", { name: "Known Issues", exact: true }).click();
    const rows = page.getByRole("table", { name: "Known issues" }).getByRole("row").filter({ has: page.getByRole("cell") });
    await expect(rows).toHaveCount(1);
    await expect(rows).toContainText("Invoices are being rewritten.");
    await inspect(page, "issues");
    await rows.getByRole("button", { name: "Change" }).click();
    await expect(dialog.getByLabel("Ticket")).toHaveValue(TICKET);
    await dialog.getByLabel("Ticket").fill("SHOP-8");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(rows).toContainText("SHOP-8");
    await rows.getByRole("button", { name: "Close" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Close issue" }).click();
    await expect(page.getByText("No error is linked to a ticket")).toBeVisible();
    await page.getByRole("button", { name: "Closed", exact: true }).click();
    await expect(rows).toContainText("Closed by hand");
  });
});
