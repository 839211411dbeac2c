import { randomUUID } from "node:crypto";
import { expect, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

interface Case {
  name: string;
  status: string;
  duration: number;
  message?: string;
  suite?: string[];
}

const report = (tests: Case[]): unknown => ({ reportId: randomUUID(), results: { tool: { name: "playwright", version: "1.50" }, tests } });

const steady: Case[] = Array.from({ length: 40 }, (_, index) => ({ name: `lists page ${String(index)}`, status: "passed", duration: 20, suite: ["Catalogue"] }));

const before: Case[] = [
  ...steady,
  { name: "pays by card", status: "passed", duration: 120, suite: ["Checkout", "Payment"] },
  { name: "applies a voucher", status: "failed", duration: 80, message: "expected 9.00, got 10.00", suite: ["Checkout"] },
  { name: "finds by prefix", status: "passed", duration: 400, suite: ["Search"] },
  { name: "ships to an island", status: "failed", duration: 30, message: "no carrier", suite: ["Shipping"] },
  { name: "prints the old label", status: "passed", duration: 15, suite: ["Shipping"] },
];
const after: Case[] = [
  ...steady,
  { name: "pays by card", status: "failed", duration: 140, message: "Error: \u001b[31mcard was declined\u001b[0m\n    at pay (checkout/payment.spec.ts:31:5)", suite: ["Checkout", "Payment"] },
  { name: "applies a voucher", status: "passed", duration: 75, suite: ["Checkout"] },
  { name: "finds by prefix", status: "passed", duration: 1400, suite: ["Search"] },
  { name: "ships to an island", status: "failed", duration: 30, message: "no carrier", suite: ["Shipping"] },
  { name: "prints a return label", status: "passed", duration: 18, suite: ["Shipping"] },
];

test("two runs are compared from the list, and a new failure leads to its trace", async ({ page, signedUp }) => {
  test.slow();
  const { account, client } = signedUp;
  const options = { project: "shop", branch: "main" };
  const first = await client.upload(report(before), { ...options, build: "41" });
  await client.upload(report(before), { ...options, branch: "feature/labels", build: "42" });
  const last = await client.upload(report(after), { ...options, build: "43", commit: "9200b5975c0ee6014e07cf9d1775a112772529ec" });
  await signIn(page, account);

  await test.step("select two runs", async () => {
    await page.getByRole("link", { name: "Reports" }).click();
    const rows = page.getByRole("list", { name: "Runs" }).getByRole("listitem");
    await expect(rows).toHaveCount(3);
    await rows.nth(0).getByRole("checkbox").check();
    await expect(page.getByText("1 run selected")).toBeVisible();
    await rows.nth(1).getByRole("checkbox").check();
    await rows.nth(2).getByRole("checkbox").check();
    await expect(rows.nth(0).getByRole("checkbox")).not.toBeChecked();
    await rows.nth(0).getByRole("checkbox").focus();
    await page.keyboard.press("Space");
    await expect(page.getByText("2 runs selected")).toBeVisible();
    await inspect(page, "reports-selected");
    await page.getByRole("button", { name: "Clear", exact: true }).click();
    await rows.nth(2).getByRole("checkbox").check();
    await rows.nth(0).getByRole("checkbox").check();
    await page.getByRole("link", { name: "Compare" }).click();
    await expect(page).toHaveURL(new RegExp(`/reports/compare\\?base=${first.run_id}&head=${last.run_id}$`));
  });

  const list = (name: string) => page.getByRole("list", { name, exact: true }).getByRole("listitem");

  await test.step("read what differs", async () => {
    await expect(page.getByRole("heading", { name: "Compare", exact: true })).toBeVisible();
    for (const [kind, names] of Object.entries({
      "New failures": ["pays by card"],
      Fixed: ["applies a voucher"],
      "Duration regressions": ["finds by prefix"],
      Added: ["prints a return label"],
      Removed: ["prints the old label"],
    })) {
      await expect(page.getByRole("heading", { name: `${kind} ${String(names.length)}`, exact: true })).toBeVisible();
      await expect(list(kind).getByRole("link")).toHaveText(names);
    }
    await expect(list("New failures")).toContainText("card was declined");
    await expect(list("Duration regressions")).toContainText("+1.0 s (250 %)");
    await expect(page.getByText("41 tests passed in both, 1 failed in both.")).toBeVisible();
    await inspect(page, "compare");
  });

  await test.step("export it", async () => {
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export JSON" }).click();
    expect((await download).suggestedFilename()).toBe(`compare-${first.run_id}-${last.run_id}.json`);
  });

  await test.step("swap the sides, by keyboard", async () => {
    await page.getByRole("button", { name: "Swap sides" }).focus();
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(new RegExp(`base=${last.run_id}&head=${first.run_id}$`));
    await expect(list("Fixed").getByRole("link")).toHaveText(["pays by card"]);
    await page.goBack();
    await expect(list("New failures").getByRole("link")).toHaveText(["pays by card"]);
  });

  await test.step("open the new failure", async () => {
    await list("New failures").getByRole("link").click();
    await expect(page).toHaveURL(new RegExp(`/runs/${last.run_id}\\?test=`));
    await expect(page.getByRole("dialog", { name: "pays by card" })).toContainText("payment.spec.ts:31:5");
  });
});

test("a run is compared with the run before on its branch", async ({ page, signedUp }) => {
  test.slow();
  const { account, client } = signedUp;
  const options = { project: "shop", branch: "main" };
  const first = await client.upload(report(before), options);
  const other = await client.upload(report(after), { ...options, branch: "topic" });
  const last = await client.upload(report(before), options);
  await signIn(page, account);
  await page.goto(`/runs/${last.run_id}`);
  await page.getByRole("link", { name: "Compare with…" }).click();
  await expect(page).toHaveURL(new RegExp(`base=${first.run_id}&head=${last.run_id}$`));
  await expect(page.getByText("No regressions")).toBeVisible();
  await expect(page.getByLabel("Base")).toHaveValue(first.run_id);
  await inspect(page, "compare-equal");

  await page.getByLabel("Base").selectOption(other.run_id);
  await page.getByRole("button", { name: "Compare", exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`base=${other.run_id}&head=${last.run_id}$`));
  await expect(page.getByRole("heading", { name: "Fixed 1", exact: true })).toBeVisible();

  await page.goto(`/reports/compare?head=${first.run_id}`);
  await expect(page.getByText("No earlier run on this branch")).toBeVisible();
  await page.getByLabel("Base").selectOption(first.run_id);
  await expect(page.getByRole("alert")).toHaveText("Base and head must be different runs.");
  await inspect(page, "compare-choose");
});

test("addresses of single reports work, and unknown ones say so", async ({ page, signedUp }) => {
  const { account, client } = signedUp;
  const base = await client.upload(report(before));
  const head = await client.upload(report(after));
  await signIn(page, account);
  await page.goto("/reports/compare");
  await expect(page.getByText("Choose two runs")).toBeVisible();
  await page.goto(`/reports/compare?base=${base.id}&head=${head.id}`);
  await expect(page.getByRole("heading", { name: "New failures 1", exact: true })).toBeVisible();
  await expect(page.getByRole("link", { name: "playwright v1.50" })).toHaveCount(2);
});
