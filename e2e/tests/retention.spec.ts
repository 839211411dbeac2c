import { expect, expectAccessible, showcase, signIn, test } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

test("a team says how long results are kept, and keeps one run whatever that is", async ({ page, signedUp }) => {
  const { account, client } = signedUp;
  await signIn(page, account);

  await test.step("the team's choice counts for what comes", async () => {
    await page.goto("/team");
    const choice = page.getByLabel("Keep the results of new reports for");
    await expect(choice).toHaveValue("");
    await expect(choice.getByRole("option", { selected: true })).toHaveText("As this server says (400 days)");
    await choice.selectOption("30 days");
    await expect(page.getByText("Saved: it counts for reports from now on")).toBeVisible();
    await expectAccessible(page, "team settings");
    await page.reload();
    await expect(choice).toHaveValue("30");
  });

  const { run_id: run } = await client.upload(showcase(), { project: "showcase", branch: "main" });

  await test.step("a run is kept, and let go again", async () => {
    await page.goto(`/runs/${run}`);
    await page.getByRole("button", { name: "Keep", exact: true }).click();
    await expect(page.getByText(/^Kept whole/)).toBeVisible();
    const kept = await client.run(run);
    expect([Boolean(kept.retention.pinned_at), kept.retention.expires_at]).toEqual([true, null]);
    await inspect(page, "run-kept");
    await page.getByRole("button", { name: "Don’t keep" }).click();
    await expect(page.getByText(/^Kept whole/)).toBeHidden();
    const days = (Date.parse((await client.run(run)).retention.expires_at ?? "") - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29);
    expect(days).toBeLessThan(38);
  });
});
