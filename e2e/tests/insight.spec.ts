import { ScaledTest } from "@scaledtest/sdk";
import { expect, newAccount, shopHistory, signIn, test, testsOf } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

const FLAKY = "suggests categories";
const BROKEN = "downloads an invoice";

test("a team finds out which tests are flaky, why, and since when one is broken", async ({ page, baseURL }) => {
  test.setTimeout(240_000);
  const account = newAccount();

  await test.step("register", async () => {
    await page.goto("/register");
    await page.getByLabel("Display Name").fill(account.name);
    await page.getByLabel("Email").fill(account.email);
    await page.getByLabel("Password", { exact: true }).fill(account.password);
    await page.getByLabel("Confirm Password").fill(account.password);
    await page.getByRole("button", { name: "Create Account" }).click();
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
  });

  let lastRun = "";
  await test.step("create a token and upload the runs of three weeks with it", async () => {
    await page.getByRole("link", { name: "API Tokens" }).click();
    await page.getByLabel("Name").fill("From the pipeline");
    await page.getByRole("button", { name: "Create Token" }).click();
    const token = await page.getByLabel("Secret").innerText();
    const pipeline = new ScaledTest({ baseUrl: baseURL, token });
    for (const { report, branch, commit } of shopHistory()) lastRun = (await pipeline.upload(report, { branch, commit })).run_id;
    // Waits until the histories know the last upload, as every read of one's own writes does.
    const { tests } = await pipeline.insight.listTests({ state: ["flaky"] });
    expect(tests.map(({ name }) => name)).toContain(FLAKY);
  });

  const rows = page.getByRole("table", { name: "Tests" }).getByRole("row").filter({ has: page.getByRole("cell") });
  await test.step("every test has its state and its history", async () => {
    await page.getByRole("link", { name: "Tests", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Tests", exact: true })).toBeVisible();
    const broken = rows.filter({ hasText: BROKEN });
    await expect(broken).toContainText("Broken");
    await expect(broken.getByRole("img", { name: /^Last \d+ runs: .*the newest failed$/ })).toBeVisible();
    await inspect(page, "tests");
  });

  await test.step("only the flaky ones, by keyboard to the first", async () => {
    await page.getByRole("button", { name: "Flaky", exact: true }).click();
    await expect(page).toHaveURL(/state=flaky/);
    await expect(rows.filter({ hasText: BROKEN })).toHaveCount(0);
    for (const text of await rows.allInnerTexts()) expect(text).toContain("Flaky");
    await page.keyboard.press("/");
    await expect(page.getByLabel("Search tests")).toBeFocused();
    await page.keyboard.type(FLAKY);
    await expect(page).toHaveURL(/q=suggests/);
    await expect(rows.first()).toContainText(FLAKY);
    await page.getByRole("link", { name: FLAKY }).first().focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: FLAKY })).toBeVisible();
  });

  await test.step("it says why it is flaky, with the runs that prove it", async () => {
    await expect(page.getByText(/flaky verdicts in \d+ runs/)).toBeVisible();
    const evidence = page.getByRole("region", { name: "Evidence" });
    await expect(evidence.getByText("Failed and passed within one run").first()).toBeVisible();
    await expect(page.getByRole("table", { name: "Run history" })).toContainText("Passed on retry");
    await inspect(page, "test-flaky");
    await evidence.getByRole("link", { name: "Open run" }).first().click();
    await expect(page).toHaveURL(/\/runs\/[0-9a-f-]+\?q=suggests/);
    await expect(testsOf(page).first()).toContainText(FLAKY);
  });

  await test.step("the last run has its verdict, and its failures lead to their histories", async () => {
    await page.goto(`/runs/${lastRun}`);
    await expect(page.getByRole("heading", { name: /^Verdict: / })).toBeVisible();
    const judged = page.getByRole("list", { name: "Judged tests" }).getByRole("listitem");
    await expect(judged.filter({ hasText: BROKEN })).toBeVisible();
    await inspect(page, "run-verdict");
    // Only what is near the screen is in the page.
    await page.goto(`/runs/${lastRun}?q=${encodeURIComponent(BROKEN)}`);
    await testsOf(page).filter({ hasText: BROKEN }).first().click();
    await page.getByRole("dialog", { name: BROKEN }).getByRole("link", { name: "History" }).click();
    await expect(page.getByRole("heading", { name: BROKEN })).toBeVisible();
  });

  await test.step("a broken test shows what it fails with, and each bar leads to its run", async () => {
    await expect(page.getByRole("table", { name: "Errors" }).getByRole("row")).not.toHaveCount(0);
    await inspect(page, "test-broken");
    const bars = page.getByRole("list", { name: "Runs, oldest first" }).getByRole("link");
    await bars.last().focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/runs\/[0-9a-f-]+\?q=downloads/);
  });

  await test.step("the analytics show the trend, and can be read without seeing it", async () => {
    await page.getByRole("link", { name: "Analytics" }).click();
    await expect(page.getByRole("heading", { name: "Analytics" })).toBeVisible();
    const slider = page.getByRole("slider", { name: /^Pass rate of \d+ days: from/ });
    await slider.focus();
    await page.keyboard.press("ArrowLeft");
    await expect(slider).toHaveAttribute("aria-valuetext", /\d{4}: (nothing ran|.* passed, \d+ failed)/);
    await page.getByText("As a table").click();
    await expect(page.getByRole("table", { name: "Pass rate over time" }).getByRole("row")).not.toHaveCount(0);
    await page.getByText("As a table").click();
    await expect(page.getByRole("table", { name: "Tests that fail by chance" })).toContainText(FLAKY);
    await expect(page.getByRole("table", { name: "Results by duration" }).getByRole("rowheader")).toHaveCount(7);
    await expect(page.getByRole("table", { name: "Errors" })).toBeVisible();
    await expect(page.getByRole("table", { name: "Slow tests" })).toBeVisible();
    await inspect(page, "analytics");
    await page.getByRole("button", { name: "By week" }).click();
    await expect(page).toHaveURL(/group=week/);
    await expect(page.getByRole("slider", { name: /^Pass rate of \d+ weeks/ })).toBeAttached();
  });

  await test.step("so does the start page", async () => {
    await page.getByRole("link", { name: "Dashboard" }).click();
    await expect(page.getByRole("slider", { name: /^Pass rate of/ })).toBeAttached();
    await page.getByRole("link", { name: "Show them" }).click();
    await expect(page).toHaveURL(/\/tests\?.*state=flaky/);
    await expect(rows.filter({ hasText: FLAKY }).first()).toBeVisible();
  });
});

test("the page of a test that became slower says since which commit", async ({ page, signedUp }) => {
  test.setTimeout(120_000);
  const { account, client } = signedUp;
  const begin = Date.now() - 24 * 3_600_000;
  for (let run = 0; run < 24; run += 1) {
    const duration = (run < 15 ? 120 : 480) + ((run * 7) % 11);
    const report = { results: { tool: { name: "jest" }, tests: [{ name: "exports", status: "passed", duration }] } };
    const created_at = new Date(begin + run * 3_600_000).toISOString();
    await client.upload(report, { project: "shop", branch: "main", commit: `c${String(run)}`, created_at });
  }
  const id = (await client.insight.listTests()).tests[0]?.id ?? "";
  await signIn(page, account);
  await page.goto(`/tests/${id}`);
  const change = page.getByRole("list", { name: "Changes of the duration" }).getByRole("listitem");
  await expect(change).toHaveCount(1);
  await expect(change).toContainText("Slower with commit c15");
  await expect(change).toContainText(/median 1\d\d ms → 4\d\d ms/);
  await inspect(page, "test-slower");
  await change.getByRole("link", { name: "first run with it" }).click();
  await expect(page).toHaveURL(/\/runs\/.*q=exports/);
  await expect(page.getByText("c15")).toBeVisible();
});
