import { expect, showcase, signIn, test, testsOf } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

test("the public pages are accessible at every size and in both themes", async ({ page }) => {
  await page.goto("/login");
  await expect(page.getByRole("heading", { name: "ScaledTest" })).toBeVisible();
  await inspect(page, "login");
  await page.goto("/register");
  await page.getByRole("button", { name: "Create Account" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await inspect(page, "register");
});

test("the pages of a team without reports are accessible", async ({ page, signedUp }) => {
  await signIn(page, signedUp.account);
  await expect(page.getByRole("heading", { name: "Upload your first report" })).toBeVisible();
  await inspect(page, "start");
  await page.goto("/reports");
  await expect(page.getByText("No reports yet")).toBeVisible();
  await inspect(page, "reports-empty");
  await page.goto("/tests");
  await expect(page.getByText("No tests on a default branch yet")).toBeVisible();
  await inspect(page, "tests-empty");
  await page.goto("/analytics");
  await expect(page.getByText("No test is known to fail by chance.")).toBeVisible();
  await inspect(page, "analytics-empty");
  await page.goto("/nowhere");
  await expect(page.getByRole("heading", { name: "This page was not found" })).toBeVisible();
  await inspect(page, "not-found");
});

test("the pages of a team with reports are accessible", async ({ page, signedUp }) => {
  test.slow();
  const { account, client } = signedUp;
  const accepted = await client.upload(showcase());
  for (const branch of ["main", "feature/checkout", "main"]) await client.upload(showcase(), { branch });
  await signIn(page, account);
  await expect(page.getByRole("list", { name: "Recent Reports" }).getByRole("listitem")).toHaveCount(4);
  await inspect(page, "dashboard");
  await page.goto("/reports");
  await expect(page.getByRole("list", { name: "Runs" }).getByRole("listitem")).toHaveCount(4);
  await inspect(page, "reports");
  await page.goto(`/reports/${accepted.id}`);
  await expect(page).toHaveURL(new RegExp(`/runs/${accepted.run_id}$`));
  await expect(testsOf(page).first()).toBeVisible();
  await inspect(page, "run");
  for (const name of ["Report", "Environment", "Diagnostics"]) await page.locator("summary", { hasText: name }).first().click();
  await expect(page.getByText("results.summary")).toBeVisible();
  await inspect(page, "run-details");
  await page.getByRole("button", { name: "Failed 15" }).click();
  await testsOf(page).filter({ hasText: "deep stack" }).first().click();
  await expect(page.getByRole("region", { name: "Trace" })).toBeVisible();
  await inspect(page, "test");
  await page.goto("/tokens");
  await page.getByLabel("Name").fill("CI uploads");
  await page.getByRole("button", { name: "Create Token" }).click();
  await expect(page.getByLabel("Secret")).toBeVisible();
  await inspect(page, "tokens");
  await page.getByRole("button", { name: "Revoke CI uploads" }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await inspect(page, "revoke");
});

test("the names that other people's browser scripts look for are there once", async ({ page, signedUp }) => {
  await signedUp.client.upload(showcase());
  await signIn(page, signedUp.account);
  for (const text of ["Total Reports", "Flaky Tests", "Pass Rate Trends", "Recent Reports"]) await expect(page.getByText(text)).toHaveCount(1);
  for (const name of ["Reports", "Analytics", "ScaledTest"]) await expect(page.getByRole("link", { name })).toHaveCount(1);
  for (const id of ["nav-dashboard", "nav-reports", "nav-tests", "nav-analytics", "btn-sign-out"]) await expect(page.locator(`#${id}`)).toHaveCount(1);
  await page.getByRole("link", { name: "Reports" }).click();
  await expect(page.getByRole("heading", { name: "Test Reports" })).toBeVisible();
  await expect(page.getByPlaceholder(/^Search reports/)).toBeVisible();
  for (const name of ["All", "Passed", "Failed", "Skipped", "Flaky"]) {
    await expect(page.getByRole("button", { name, exact: true })).toBeVisible();
  }
  await expect(page.getByRole("button", { name: "Sign Out" })).toBeVisible();
  await page.getByRole("link", { name: "Analytics" }).click();
  for (const name of ["Analytics", "Pass Rate Trends", "Flaky Tests", "Duration Distribution", "Error Analysis", "Slowest Tests"]) {
    await expect(page.getByRole("heading", { name })).toHaveCount(1);
  }
});

test("filters live in the address and a chosen theme outlives a reload", async ({ page, signedUp }) => {
  await signedUp.client.upload(showcase(), { branch: "main" });
  await signedUp.client.upload(showcase(), { branch: "feature/x" });
  await signIn(page, signedUp.account);
  await page.goto("/reports");
  const rows = page.getByRole("list", { name: "Runs" }).getByRole("listitem");
  await expect(rows).toHaveCount(2);
  await page.getByLabel("Branch").selectOption("feature/x");
  await expect(rows).toHaveCount(1);
  await expect(page).toHaveURL(/branch=feature%2Fx/);
  await page.getByRole("button", { name: "Passed", exact: true }).click();
  await expect(page.getByText("No run matches these filters")).toBeVisible();
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await expect(rows).toHaveCount(1);
  await page.getByRole("button", { name: /^Use the dark theme/ }).click();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(rows).toHaveCount(1);
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(rows).toHaveCount(2);
  await expect(page).toHaveURL(/\/reports$/);
});
