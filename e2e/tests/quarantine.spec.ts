import { ScaledTest } from "@scaledtest/sdk";
import { expect, shopHistory, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

const FLAKY = "suggests categories";
const BROKEN = "downloads an invoice";

test("a flaky test is put into quarantine, seen there, extended and released", async ({ page, signedUp, baseURL }) => {
  test.setTimeout(300_000);
  const { account, client } = signedUp;
  const history = shopHistory();
  const last = history.pop();
  for (const { report, branch, commit } of history) await client.upload(report, { project: "shop", branch, commit });
  await signIn(page, account);

  await test.step("from the page of the test", async () => {
    await page.getByRole("link", { name: "Tests", exact: true }).click();
    await page.getByRole("button", { name: "Flaky", exact: true }).click();
    await page.getByRole("link", { name: FLAKY }).first().click();
    await page.getByRole("button", { name: "Quarantine…" }).click();
    const dialog = page.getByRole("dialog", { name: `Quarantine “${FLAKY}”` });
    await dialog.getByLabel("Reason").fill("The search index is slow to warm up.");
    await dialog.getByLabel("Owner").fill("ada@example.test");
    await dialog.getByLabel("Ticket").fill("https://tracker.example/browse/SHOP-7");
    await dialog.getByLabel("Counts again in").selectOption("3 days");
    await inspect(page, "quarantine-dialog");
    await dialog.getByRole("button", { name: "Quarantine" }).click();
    await expect(dialog).toBeVisible();
    expect(await dialog.getByLabel("Owner").evaluate((field: HTMLInputElement) => field.validity.patternMismatch)).toBe(true);
    await dialog.getByLabel("Owner").fill("@search");
    await dialog.getByRole("button", { name: "Quarantine" }).click();
    await expect(dialog).toHaveCount(0);
    const panel = page.getByRole("region", { name: "Quarantine" });
    await expect(panel).toContainText("Muted");
    await expect(panel).toContainText("The search index is slow to warm up.");
    await expect(panel.getByRole("link", { name: "SHOP-7" })).toHaveAttribute("href", "https://tracker.example/browse/SHOP-7");
    await inspect(page, "test-quarantined");
  });

  await test.step("the explorer says so", async () => {
    await page.getByRole("link", { name: "Tests", exact: true }).click();
    const row = page.getByRole("table", { name: "Tests" }).getByRole("row").filter({ hasText: FLAKY }).first();
    await expect(row).toContainText("Muted");
  });

  await test.step("CI is told, and not told again what it knows", async () => {
    const token = (await client.createToken(client.teamId ?? "", { name: "CI" })).token;
    const ask = (tag?: string) => fetch(`${baseURL ?? ""}/api/v1/projects/shop/quarantine`, { headers: { authorization: `Bearer ${token}`, ...(tag && { "if-none-match": tag }) } });
    const answer = await ask();
    const list = (await answer.json()) as { tests: { name: string; mode: string }[] };
    expect(list.tests).toMatchObject([{ name: FLAKY, mode: "mute" }]);
    expect((await ask(answer.headers.get("etag") ?? "")).status).toBe(304);
    expect(await new ScaledTest({ baseUrl: baseURL, token }).quarantine.listForCi("shop")).toEqual(list);
  });

  await test.step("a run is judged by it", async () => {
    const broken = (await client.insight.listTests({ text: BROKEN })).tests[0];
    await client.quarantine.enter(broken?.id ?? "", { reason: "Invoices are being rewritten.", owner: "@orders" });
    const now = new Date();
    const run = last?.report as { results: { summary: object } };
    const report = { ...run, timestamp: now.toISOString(), results: { ...run.results, summary: { ...run.results.summary, start: now.getTime(), stop: now.getTime() } } };
    const { run_id: id } = await client.upload(report, { project: "shop", branch: last?.branch, commit: last?.commit });
    await page.goto(`/runs/${id}`);
    const judged = page.getByRole("list", { name: "Judged tests" }).getByRole("listitem").filter({ hasText: BROKEN });
    await expect(judged).toContainText("Quarantined");
  });

  const rows = page.getByRole("table", { name: "Quarantine" }).getByRole("row").filter({ has: page.getByRole("cell") });
  await test.step("what ends soon stands first, and can be extended", async () => {
    await page.getByRole("link", { name: "Quarantine", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Quarantine", exact: true })).toBeVisible();
    await expect(rows).toHaveCount(2);
    await expect(rows.first()).toContainText(FLAKY);
    await expect(page.getByText("1 ends within 3 days")).toBeVisible();
    await inspect(page, "quarantine");
    await page.getByRole("button", { name: `Change or extend ${FLAKY}` }).click();
    const dialog = page.getByRole("dialog", { name: `Change the quarantine of “${FLAKY}”` });
    await expect(dialog.getByLabel("Reason")).toHaveValue("The search index is slow to warm up.");
    await dialog.getByLabel("Counts again in").selectOption("30 days");
    await dialog.getByRole("button", { name: "Save" }).click();
    await expect(rows.last()).toContainText(FLAKY);
    await expect(page.getByText("1 ends within 3 days")).toHaveCount(0);
  });

  await test.step("it is released, and listed as such", async () => {
    await page.getByRole("button", { name: `Release ${BROKEN}` }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Release" }).click();
    await expect(rows).toHaveCount(1);
    await page.getByRole("button", { name: "Released", exact: true }).click();
    await expect(page).toHaveURL(/state=released/);
    await expect(rows.first()).toContainText("Released by hand");
    await page.getByRole("button", { name: "In quarantine", exact: true }).click();
  });

  await test.step("a policy takes what else is flaky, by itself", async () => {
    const policy = page.getByRole("form", { name: "Quarantine policy" });
    await policy.getByLabel("Quarantine flaky tests automatically").check();
    await policy.getByLabel("At most, % of the tests").fill("5");
    await policy.getByLabel("Owner", { exact: true }).fill("@qa");
    await policy.getByRole("button", { name: "Save policy" }).click();
    await expect(policy.getByText("Saved")).toBeVisible();
    await expect(rows).toHaveCount(2, { timeout: 15_000 });
    await expect(rows.filter({ hasText: "by policy" }).first()).toContainText("Flaky on main");
  });
});
