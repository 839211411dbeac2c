import { expect, shopHistory, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

const OLD = "prints a label";
const NEW = "prints a return label (PDF/A)";
const OTHER = "downloads an invoice";

test("a renamed test is proposed, joined into one history, and separated again", async ({ page, signedUp }) => {
  test.setTimeout(300_000);
  const { account, client } = signedUp;
  for (const { report, branch, commit } of shopHistory()) await client.upload(report, { project: "shop", branch, commit });
  const idOf = async (name: string) => (await client.insight.listTests({ project: "shop", text: name, limit: 200 })).tests.find((one) => one.name === name)?.id ?? "";
  const [old, now, other] = [await idOf(OLD), await idOf(NEW), await idOf(OTHER)];
  const runsOf = async (id: string) => (await client.insight.getTestHistory(id, { branch: "main", limit: 400 })).length;
  const [before, after] = [await runsOf(old), await runsOf(now)];
  const strip = page.getByRole("list", { name: "Runs, oldest first" }).getByRole("listitem");
  await signIn(page, account);

  await test.step("the explorer says that there is something to say", async () => {
    await page.getByRole("link", { name: "Tests", exact: true }).click();
    await expect(page.getByRole("link", { name: "1 test seems to have been renamed" })).toBeVisible();
    await inspect(page, "tests-renamed");
    await page.getByRole("link", { name: "1 test seems to have been renamed" }).click();
    await expect(page.getByRole("heading", { name: "Renamed tests" })).toBeVisible();
    await expect(page).toHaveURL(/tests\/renamed/);
  });

  await test.step("it is accepted, by keyboard alone", async () => {
    const proposal = page.getByRole("list", { name: "Proposed renames" }).getByRole("listitem");
    await expect(proposal).toHaveCount(1);
    await expect(proposal).toContainText(OLD);
    await expect(proposal).toContainText("the only change in the same file");
    await expect(proposal).toContainText("commit");
    await inspect(page, "renames-proposed");
    await page.getByRole("button", { name: `Accept ${OLD} → ${NEW}` }).focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("status").filter({ hasText: "are one test now" })).toBeAttached();
    await expect(page.getByText("No test seems to have been renamed")).toBeVisible();
    const joined = page.getByRole("list", { name: "Joined tests" }).getByRole("listitem");
    await expect(joined).toContainText(NEW);
    await inspect(page, "renames-joined");
  });

  await test.step("the old address leads to one strip", async () => {
    await page.goto(`/tests/${old}`);
    await expect(page).toHaveURL(new RegExp(`/tests/${now}`));
    await expect(page.getByRole("heading", { name: NEW })).toBeVisible();
    await expect(strip).toHaveCount(before + after);
    await expect(page.getByRole("list", { name: "Earlier names" })).toContainText(`Was called ${OLD} until`);
    await inspect(page, "test-renamed");
  });

  await test.step("another test is joined by hand", async () => {
    await page.getByRole("button", { name: "Add an earlier name…" }).click();
    const dialog = page.getByRole("dialog", { name: `What was “${NEW}” called before?` });
    await dialog.getByRole("searchbox", { name: "Earlier name" }).fill("invoice");
    await dialog.getByRole("radio", { name: OTHER }).check();
    await inspect(page, "rename-dialog");
    await dialog.getByRole("button", { name: "Join" }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByRole("list", { name: "Earlier names" }).getByRole("listitem")).toHaveCount(2);
    await page.getByRole("button", { name: `Undo: was called ${OTHER}` }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Separate" }).click();
    await expect(page.getByRole("list", { name: "Earlier names" }).getByRole("listitem")).toHaveCount(1);
    expect(await runsOf(other)).toBeGreaterThan(0);
  });

  await test.step("undone, they are two again", async () => {
    await page.getByRole("button", { name: `Undo: was called ${OLD}` }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Separate" }).click();
    await expect(page.getByRole("list", { name: "Earlier names" })).toHaveCount(0);
    await expect(strip).toHaveCount(after);
    await page.goto(`/tests/${old}`);
    await expect(page.getByRole("heading", { name: OLD })).toBeVisible();
    await expect(strip).toHaveCount(before);
  });

  await test.step("dismissed, it is not proposed again", async () => {
    await page.goto("/tests/renamed");
    await page.getByRole("button", { name: `Dismiss ${OLD} → ${NEW}` }).click();
    await expect(page.getByText("No test seems to have been renamed")).toBeVisible();
    await page.goto("/tests");
    await expect(page.getByRole("heading", { name: "Tests", exact: true })).toBeVisible();
    await expect(page.getByText("seems to have been renamed")).toHaveCount(0);
  });
});
