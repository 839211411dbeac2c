import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, newAccount, showcaseText, signIn, test, testsOf } from "../support/fixtures.ts";

/** Runs a command line as somebody would who pasted it beside a report. */
function runWithReport(command: string): string {
  const folder = mkdtempSync(join(tmpdir(), "scaledtest-upload-"));
  try {
    writeFileSync(join(folder, "ctrf-report.json"), showcaseText());
    return execFileSync("sh", ["-c", command], { cwd: folder, encoding: "utf8", timeout: 30_000, stdio: ["ignore", "pipe", "ignore"] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a newcomer registers, uploads from the command line and reads why the build is red", async ({ page, context }) => {
  const account = newAccount();
  let command = "";

  await test.step("register", async () => {
    await page.goto("/");
    await page.getByRole("link", { name: "Sign up" }).click();
    await page.getByLabel("Display Name").fill(account.name);
    await page.getByLabel("Email").fill(account.email);
    await page.getByLabel("Password", { exact: true }).fill(account.password);
    await page.getByLabel("Confirm Password").fill("something else");
    await page.getByRole("button", { name: "Create Account" }).click();
    await expect(page.getByRole("alert")).toHaveText("Passwords do not match");
    await page.getByLabel("Confirm Password").fill(account.password);
    await page.getByRole("button", { name: "Create Account" }).click();
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe("/");
    await expect(page.getByRole("heading", { name: "Upload your first report" })).toBeVisible();
  });

  await test.step("create a token and copy the command", async () => {
    await page.getByRole("link", { name: "API Tokens" }).click();
    await page.getByLabel("Name").fill("From the journey");
    await page.getByRole("button", { name: "Create Token" }).click();
    await expect(page.getByLabel("Secret")).toHaveText(/^sct_[0-9a-f]{64}$/);
    command = await page.getByRole("region", { name: "curl command" }).innerText();
    expect(command).toContain(new URL(page.url()).origin);
  });

  await test.step("upload while the list is open: it updates by itself", async () => {
    await page.getByRole("link", { name: "Reports" }).click();
    await expect(page.getByText("No reports yet")).toBeVisible();
    await expect(page.getByText("Live", { exact: true })).toBeVisible();
    await page.evaluate(() => { document.body.dataset.sameDocument = "yes"; });
    expect(JSON.parse(runWithReport(command))).toMatchObject({ tests: 56, summary: { failed: 15 } });
    const row = page.getByRole("list", { name: "Runs" }).getByRole("listitem");
    await expect(row).toHaveCount(1);
    await expect(row).toContainText("release/4.12");
    expect(await page.evaluate(() => document.body.dataset.sameDocument)).toBe("yes");
  });

  await test.step("open the run and filter its failures", async () => {
    await page.getByRole("link", { name: "Open run" }).click();
    await expect(page.getByRole("button", { name: "Failed 15" })).toBeVisible();
    await expect(testsOf(page).first()).toHaveAttribute("aria-setsize", "56");
    await page.getByRole("button", { name: "Failed 15" }).click();
    await expect(testsOf(page).first()).toHaveAttribute("aria-setsize", "15");
    await expect(page).toHaveURL(/status=failed/);
  });

  await test.step("read a trace", async () => {
    await testsOf(page).filter({ hasText: "deep stack" }).first().click();
    const detail = page.getByRole("dialog", { name: "deep stack" });
    await expect(detail.getByRole("region", { name: "Trace" })).toContainText(/at .*checkout\.spec\.js:\d+/);
    await detail.getByRole("tab", { name: /Attempt 1/ }).click();
    await expect(detail.getByRole("tabpanel", { name: /Attempt 1/ })).toContainText("Error");
    await expect(detail.getByText("\u001b")).toHaveCount(0);
  });

  await test.step("the address of the open test survives a reload, and so does the session", async () => {
    const url = page.url();
    await page.reload();
    await expect(page.getByRole("dialog", { name: "deep stack" })).toBeVisible();
    expect(page.url()).toBe(url);
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0);
  });

  await test.step("walk through the failures by keyboard", async () => {
    await page.keyboard.press("/");
    await expect(page.getByLabel("Search tests")).toBeFocused();
    await page.getByRole("listbox", { name: "Tests" }).focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog", { name: "update profile" })).toBeVisible();
    await page.keyboard.press("ArrowDown");
    await expect(page.getByRole("dialog", { name: "one" })).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0);
  });

  await test.step("sign out, and come back to the same place", async () => {
    const url = page.url();
    await page.getByRole("button", { name: "Sign Out" }).click();
    await expect(page.getByRole("button", { name: "Sign In" })).toBeVisible();
    expect((await context.cookies()).filter(({ name, value }) => name === "refresh_token" && value !== "")).toEqual([]);
    await page.goto(url);
    await page.getByLabel("Email").fill(account.email);
    await page.getByLabel("Password").fill(account.password);
    await page.getByRole("button", { name: "Sign In" }).click();
    await expect(page.getByRole("button", { name: "Failed 15" })).toBeVisible();
    expect(page.url()).toBe(url);
  });
});

test("a revoked token no longer uploads", async ({ page, signedUp }) => {
  await signIn(page, signedUp.account);
  await page.getByRole("link", { name: "API Tokens" }).click();
  await page.getByLabel("Name").fill("Old laptop");
  await page.getByRole("button", { name: "Create Token" }).click();
  const command = await page.getByRole("region", { name: "curl command" }).innerText();
  await page.getByRole("button", { name: "Revoke Old laptop" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke token" }).click();
  await expect(page.getByText("No tokens yet")).toBeVisible();
  expect(() => runWithReport(command)).toThrow(/Command failed/);
});

test("a run of which shards are missing is shown with what is there, its verdict pending", async ({ page, signedUp }) => {
  const { account, client } = signedUp;
  const passed = { name: "adds", status: "passed", duration: 1 };
  const report = { results: { tool: { name: "jest" }, tests: [passed] } };
  const { run_id: run } = await client.upload(report, { run_id: "build-9", shard_id: "1", shards: 2 });
  await signIn(page, account);
  await page.goto(`/runs/${run}`);
  await expect(page.getByRole("heading", { name: "Verdict: Pending" })).toBeVisible();
  await expect(testsOf(page)).toHaveCount(1);
  await client.upload(report, { run_id: "build-9", shard_id: "2", shards: 2 });
  await expect(page.getByRole("heading", { name: "Verdict: Mergeable" })).toBeVisible();
  await expect(testsOf(page)).toHaveCount(2);
});
