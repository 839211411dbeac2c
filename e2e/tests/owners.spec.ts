import { expect, shopHistory, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

test("a team says who owns its tests, and finds the failing ones of an owner", async ({ page, signedUp }) => {
  const { account, client } = signedUp;
  for (const { report, branch, commit } of shopHistory().slice(-1)) await client.upload(report, { branch, commit });
  const { tests } = await client.insight.listTests({ branch: "*", limit: 200 });
  const file = tests.find(({ last_status }) => last_status === "failed")?.file_path?.split("/").at(-1) ?? "";
  const inFile = tests.filter(({ file_path }) => file_path?.endsWith(`/${file}`));

  await signIn(page, account);
  await page.getByRole("link", { name: "Team", exact: true }).click();
  await page.getByRole("link", { name: "Test owners" }).click();
  await expect(page.getByRole("link", { name: "Nobody" })).toBeVisible();
  await page.getByLabel("CODEOWNERS file").fill(`* @acme/quality\n${file} @acme/payments\n*.md nobody\n`);
  await page.getByRole("button", { name: "Save Owners" }).click();
  await expect(page.getByText("2 rules saved")).toBeVisible();
  await expect(page.getByText("Line 3:")).toContainText("names nobody");
  const row = page.getByRole("row").filter({ hasText: "@acme/payments" });
  await expect(row.getByRole("cell").nth(1)).toHaveText(String(inFile.length));
  await inspect(page, "owners");

  await row.getByRole("link", { name: "@acme/payments" }).click();
  await expect(page).toHaveURL(/owner=%40acme%2Fpayments/);
  await page.getByLabel("Branch").selectOption({ label: "Any branch" });
  await expect(page.getByText(`${String(inFile.length)} tests match`)).toBeVisible();
  await inspect(page, "tests-of-owner");
  await page.getByRole("table", { name: "Tests" }).getByRole("link").first().click();
  await expect(page.getByText("Owned by")).toContainText("@acme/payments");
});
