import { ScaledTest } from "@scaledtest/sdk";
import { expect, expectAccessible, showcase, signIn, test, testsOf } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

test("a run is shared by a link, read without an account, and taken back", async ({ page, signedUp, browser, baseURL }) => {
  test.slow();
  const { account, client } = signedUp;
  const { run_id: run } = await client.upload(showcase(), { project: "showcase", branch: "main", run_id: "build-7" });
  const { run_id: other } = await client.upload(showcase(), { project: "showcase", branch: "main", run_id: "build-8" });
  await signIn(page, account);
  let link = "";

  await test.step("make a link, by keyboard", async () => {
    await page.goto(`/runs/${run}`);
    const share = page.getByRole("button", { name: "Share" });
    await share.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Share this run" });
    await expect(dialog.getByText("There is no link yet.")).toBeVisible();
    await dialog.getByLabel("Expires in").selectOption("7 days");
    await dialog.getByRole("button", { name: "Create Link" }).press("Enter");
    await expect(dialog.getByLabel("Link", { exact: true })).toHaveValue(/\/shared\/shr_[0-9a-f]{64}$/);
    await expect(dialog.getByText(`by ${account.name}`)).toBeVisible();
    link = new URL(await dialog.getByLabel("Link", { exact: true }).inputValue()).pathname;
    await inspect(page, "share-dialog");
    await page.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await expect(share).toBeFocused();
  });

  await test.step("it is there again, to be copied", async () => {
    await page.reload();
    await page.getByRole("button", { name: "Share" }).click();
    await expect(page.getByLabel("Link", { exact: true })).toHaveValue(new RegExp(`${link}$`));
    await expect(page.getByRole("button", { name: "Copy Link" })).toBeVisible();
  });

  const stranger = await (await browser.newContext({ baseURL })).newPage();
  const asked: string[] = [];
  stranger.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await test.step("a stranger reads the run", async () => {
    await stranger.goto(link);
    await expect(stranger.getByRole("heading", { name: "build-7" })).toBeVisible();
    await expect(testsOf(stranger).first()).toBeVisible();
    await inspect(stranger, "shared");
    await stranger.getByRole("button", { name: "Failed 15" }).click();
    await stranger.getByLabel("Search tests").fill("deep stack");
    await expect(testsOf(stranger)).toHaveCount(1);
    await testsOf(stranger).first().click();
    await expect(stranger.getByRole("region", { name: "Trace" })).toContainText("at ");
    await expect(stranger.getByRole("link", { name: "History" })).toHaveCount(0);
    await inspect(stranger, "shared-test");
    await stranger.keyboard.press("Escape");
    await expect(stranger.getByRole("region", { name: "Trace" })).toHaveCount(0);
    // What one looks at is in the address, and survives a reload.
    await stranger.reload();
    await expect(testsOf(stranger)).toHaveCount(1);
    expect(asked.filter((path) => path.startsWith("/api/") && !path.startsWith("/api/v1/shared/"))).toEqual([]);
  });

  await test.step("and gets no further with it", async () => {
    await stranger.goto(`/runs/${other}`);
    await expect(stranger.getByRole("button", { name: "Sign In" })).toBeVisible();
  });

  await test.step("revoked, the link says so", async () => {
    await page.getByRole("button", { name: "Revoke" }).click();
    await expect(page.getByText("There is no link yet.")).toBeVisible();
    await stranger.goto(link);
    await expect(stranger.getByRole("heading", { name: "This link is no longer valid" })).toBeVisible();
    await inspect(stranger, "shared-gone");
    await expectAccessible(page, "the dialog without links");
  });
  await stranger.context().close();
});

test("who may only read copies links, and makes none", async ({ page, signedUp, baseURL }) => {
  const { account, client } = signedUp;
  const host = new ScaledTest({ baseUrl: baseURL });
  await host.register(`host-${account.email}`, account.password, "Barbara Liskov");
  const { id } = await host.createTeam("Readers");
  host.teamId = id;
  const { run_id: run } = await host.upload(showcase(), { project: "showcase" });
  await host.shares.create(run);
  const { url } = await host.createInvitation(id, account.email, "readonly");
  await client.acceptInvitation(new URL(url).pathname.split("/").at(-1) ?? "");
  await signIn(page, account);
  await page.getByRole("button", { name: /^Team: / }).click();
  await page.getByRole("list", { name: "Teams" }).getByRole("button", { name: "Readers" }).click();
  await expect(page.getByRole("button", { name: "Team: Readers, Read only" })).toBeVisible();
  await page.goto(`/runs/${run}`);
  await page.getByRole("button", { name: "Share" }).click();
  const dialog = page.getByRole("dialog", { name: "Share this run" });
  await expect(dialog.getByRole("button", { name: "Copy Link" })).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Create Link" })).toHaveCount(0);
  await expect(dialog.getByRole("button", { name: "Revoke" })).toHaveCount(0);
});
