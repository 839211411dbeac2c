import { readFileSync } from "node:fs";
import type { Browser, Page } from "@playwright/test";
import { ScaledTest } from "@scaledtest/sdk";
import { expect, instanceOwner, newAccount, signIn, test, type Account } from "../support/fixtures.ts";
import { inspect } from "../support/inspect.ts";

/** Another person's browser. Its console is not watched: refusals are what these pages are about. */
async function anotherBrowser(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const context = await browser.newContext({ baseURL });
  return context.newPage();
}

const pathOf = (address: string): string => new URL(address).pathname;

test("a colleague is invited, joins, gets another role and is removed", async ({ page, signedUp, browser, baseURL }) => {
  const colleague: Account = { ...newAccount(), name: "Grace Hopper" };
  const team = (await signedUp.client.teams())[0]?.name ?? "";
  let link = "";

  await test.step("invite, and copy the link once", async () => {
    await signIn(page, signedUp.account);
    await page.getByRole("link", { name: "Team", exact: true }).click();
    await expect(page.getByRole("heading", { name: "Team settings" })).toBeVisible();
    await page.getByRole("link", { name: "Invitations" }).click();
    await page.getByLabel("Email").fill(colleague.email);
    await page.getByLabel("Role", { exact: true }).selectOption("Read only");
    await page.getByRole("button", { name: "Send Invitation" }).click();
    const secret = page.getByLabel("Invitation link", { exact: true });
    await expect(secret).toHaveText(/\/invitations\/inv_[0-9a-f]{64}$/);
    link = pathOf(await secret.innerText());
    await expect(page.getByRole("table", { name: "Invitations" }).getByRole("row", { name: colleague.email })).toContainText("Pending");
  });

  const guest = await anotherBrowser(browser, baseURL);
  await test.step("the colleague makes an account with it and is in the team", async () => {
    await guest.goto(link);
    await expect(guest.getByRole("heading", { name: `Join ${team}` })).toBeVisible();
    await expect(guest.getByText(colleague.email)).toBeVisible();
    await guest.getByLabel("Display Name").fill(colleague.name);
    await guest.getByLabel("Password", { exact: true }).fill(colleague.password);
    await guest.getByLabel("Confirm Password").fill("something else");
    await guest.getByRole("button", { name: "Accept Invitation" }).click();
    await expect(guest.getByRole("alert")).toHaveText("Passwords do not match");
    await guest.getByLabel("Confirm Password").fill(colleague.password);
    await guest.getByRole("button", { name: "Accept Invitation" }).click();
    await expect(guest.getByText(`You are now in the team “${team}” as read only.`)).toBeVisible();
    await expect(guest.getByRole("heading", { name: "Dashboard" })).toBeVisible();
    await expect(guest.getByRole("button", { name: `Team: ${team}, Read only` })).toBeVisible();
  });

  await test.step("the link works only once", async () => {
    const third = await anotherBrowser(browser, baseURL);
    await third.goto(link);
    await expect(third.getByRole("heading", { name: "Already accepted" })).toBeVisible();
    await third.context().close();
  });

  await test.step("who may only read sees no controls", async () => {
    await guest.goto("/team/members");
    await expect(guest.getByRole("row", { name: colleague.email })).toContainText("Read only");
    await expect(guest.getByRole("combobox")).toHaveCount(0);
    await expect(guest.getByRole("button", { name: `Leave ${team}` })).toBeVisible();
    await guest.goto("/team/invitations");
    await expect(guest.getByText("Maintainers and owners can invite people.")).toBeVisible();
    await expect(guest.getByRole("button", { name: "Send Invitation" })).toHaveCount(0);
  });

  await test.step("the only owner stays; the colleague becomes maintainer", async () => {
    await page.goto("/team/members");
    await expect(page.getByLabel(`Role of ${signedUp.account.name}`)).toBeDisabled();
    await page.getByLabel(`Role of ${colleague.name}`).selectOption("Maintainer");
    await expect(page.getByText(`${colleague.name}: Maintainer`)).toBeAttached();
    await guest.goto("/team/invitations");
    await expect(guest.getByRole("button", { name: "Send Invitation" })).toBeVisible();
    await expect(guest.getByText("your role: maintainer")).toBeVisible();
  });

  await test.step("removed, the colleague is told so", async () => {
    await page.getByRole("button", { name: `Remove ${colleague.name}` }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Remove member" }).click();
    await expect(page.getByRole("row", { name: colleague.email })).toHaveCount(0);
    await expect(page.getByRole("alertdialog")).toHaveCount(0);
    // Whatever comes first, the end of the live connection or this click, tells the page.
    await guest.getByRole("link", { name: "Reports" }).click();
    await expect(guest.getByRole("heading", { name: "You are in no team yet" })).toBeVisible();
    await expect(guest.getByText(`You are no longer in the team “${team}”.`)).toBeVisible();
  });

  await test.step("and makes a team of their own", async () => {
    await guest.getByLabel("Team name").fill("Compilers");
    await guest.getByRole("button", { name: "Create Team" }).click();
    await expect(guest.getByRole("heading", { name: "Test Reports" })).toBeVisible();
    await expect(guest.getByRole("button", { name: "Team: Compilers, Owner" })).toBeVisible();
  });
  await guest.context().close();
});

test("somebody with an account joins with one click and switches between teams", async ({ page, signedUp, baseURL }) => {
  const host = new ScaledTest({ baseUrl: baseURL });
  const { email, password } = newAccount();
  await host.register(email, password, "Barbara Liskov");
  const team = await host.createTeam("Data abstraction");
  const { url } = await host.createInvitation(team.id, signedUp.account.email, "maintainer");
  const own = (await signedUp.client.teams())[0]?.name ?? "";

  await signIn(page, signedUp.account);
  await page.goto(pathOf(url));
  await page.getByRole("button", { name: "Accept Invitation" }).click();
  await expect(page.getByRole("button", { name: "Team: Data abstraction, Maintainer" })).toBeVisible();
  await page.getByRole("button", { name: /^Team: / }).click();
  await page.getByRole("list", { name: "Teams" }).getByRole("button", { name: own }).click();
  await expect(page.getByRole("button", { name: `Team: ${own}, Owner` })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: `Team: ${own}, Owner` })).toBeVisible();
  await page.goto("/team");
  await page.getByLabel("Team name").fill("Renamed");
  await page.getByRole("button", { name: "Rename" }).click();
  await expect(page.getByRole("button", { name: "Team: Renamed, Owner" })).toBeVisible();
  await page.getByRole("button", { name: "Delete team…" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog.getByRole("button", { name: "Delete team" })).toBeDisabled();
  await dialog.getByRole("textbox").fill("Renamed");
  await dialog.getByRole("button", { name: "Delete team" }).click();
  await expect(page.getByText("The team “Renamed” was deleted. This is “Data abstraction”.")).toBeVisible();
});

test("sessions are listed and ended, one and all others", async ({ page, signedUp, browser, baseURL }) => {
  const { account } = signedUp;
  const phone = await anotherBrowser(browser, baseURL);
  await signIn(phone, account);
  await signIn(page, account);
  await page.locator("#nav-profile").click();
  // This browser, the other one, and the client that registered.
  const rows = page.getByRole("table", { name: "Sessions" }).locator("tbody").getByRole("row");
  await expect(rows).toHaveCount(3);
  await expect(rows.filter({ hasText: "This device" })).toHaveCount(1);
  await page.getByRole("button", { name: /^End session of/ }).last().click();
  await expect(rows).toHaveCount(2);
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Sign out" }).click();
  await expect(rows).toHaveCount(1);
  await phone.reload();
  await expect(phone.getByRole("button", { name: "Sign In" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Profile" })).toBeVisible();
  await phone.context().close();
});

test("a name and a password are changed", async ({ page, signedUp, browser, baseURL }) => {
  const { account } = signedUp;
  await signIn(page, account);
  await page.goto("/profile");
  await page.getByLabel("Display Name").fill("Augusta Ada King");
  await page.getByRole("button", { name: "Save Name" }).click();
  await expect(page.locator("#nav-profile")).toContainText("Augusta Ada King");
  await page.getByLabel("Current Password").fill(account.password);
  await page.getByLabel("New Password").fill("a new and longer password");
  await page.getByLabel("Confirm Password").fill("a new and longer password");
  await page.getByRole("button", { name: "Change Password" }).click();
  await expect(page.getByText("Password changed")).toBeVisible();

  const other = await anotherBrowser(browser, baseURL);
  await other.goto("/login");
  await other.getByLabel("Email").fill(account.email);
  await other.getByLabel("Password").fill(account.password);
  await other.getByRole("button", { name: "Sign In" }).click();
  await expect(other.getByRole("alert")).toBeVisible();
  await other.context().close();
  await page.getByRole("button", { name: "Sign Out" }).click();
  await signIn(page, { ...account, password: "a new and longer password" });
});

test("signing in leads back to where one was going, and nowhere else", async ({ page, signedUp }) => {
  const enter = async () => {
    await page.getByLabel("Email").fill(signedUp.account.email);
    await page.getByLabel("Password").fill(signedUp.account.password);
    await page.getByRole("button", { name: "Sign In" }).click();
  };
  await page.goto("/team/members");
  await expect(page).toHaveURL(/\/login\?return_to=%2Fteam%2Fmembers$/);
  await enter();
  await expect(page).toHaveURL(/\/team\/members$/);
  await page.getByRole("button", { name: "Sign Out" }).click();
  for (const evil of ["https://evil.example", "//evil.example", "/\\evil.example"]) {
    await page.goto(`/login?return_to=${encodeURIComponent(evil)}`);
    await enter();
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
    expect(new URL(page.url()).pathname).toBe("/");
    await page.goto(`/login?return_to=${encodeURIComponent(evil)}`);
    await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
    await page.getByRole("button", { name: "Sign Out" }).click();
    await expect(page.getByRole("button", { name: "Sign In" })).toBeVisible();
  }
});

test("the administration is for the owner of the instance", async ({ page, signedUp }) => {
  await signIn(page, signedUp.account);
  await expect(page.locator("#nav-admin")).toHaveCount(0);
  await page.goto("/admin");
  await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
});

test("the owner of the instance finds, disables and helps people, and reads the audit log", async ({ page, signedUp, browser, baseURL }) => {
  const owner = instanceOwner();
  test.slow();
  const { account } = signedUp;
  const row = page.getByRole("table", { name: "Users" }).getByRole("row", { name: account.email });
  const ask = async (item: string, answer: string) => {
    await row.getByRole("button", { name: /^Manage/ }).click();
    await page.getByRole("button", { name: item }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: answer }).click();
    await expect(page.getByRole("alertdialog")).toHaveCount(0);
  };
  const person = await anotherBrowser(browser, baseURL);

  await test.step("find", async () => {
    await signIn(page, owner);
    await page.locator("#nav-admin").click();
    for (const name of ["Users", "Teams", "Audit Log", "Storage", "Settings"]) await expect(page.getByRole("heading", { name, level: 2 })).toBeVisible();
    await page.getByLabel("Search users").fill(account.email);
    await expect(page).toHaveURL(/user=/);
    await expect(row).toBeVisible();
  });

  await test.step("disable and enable", async () => {
    await ask("Disable…", "Disable");
    await expect(row).toContainText("Disabled");
    await person.goto("/login");
    await person.getByLabel("Email").fill(account.email);
    await person.getByLabel("Password").fill(account.password);
    await person.getByRole("button", { name: "Sign In" }).click();
    await expect(person.getByRole("alert")).toBeVisible();
    await ask("Enable…", "Enable");
    await expect(row).not.toContainText("Disabled");
  });

  await test.step("reset a password", async () => {
    await ask("Reset password…", "Reset password");
    const link = pathOf(await page.getByLabel("Password link", { exact: true }).innerText());
    await person.goto(link);
    await person.getByLabel("New Password").fill("yet another password");
    await person.getByLabel("Confirm Password").fill("yet another password");
    await person.getByRole("button", { name: "Set Password" }).click();
    await expect(person.getByRole("heading", { name: "Password changed" })).toBeVisible();
    await signIn(person, { ...account, password: "yet another password" });
    await person.goto(link);
    await person.getByLabel("New Password").fill("and one more password");
    await person.getByLabel("Confirm Password").fill("and one more password");
    await person.getByRole("button", { name: "Set Password" }).click();
    await expect(person.getByRole("heading", { name: "This link is no longer good" })).toBeVisible();
    await page.getByRole("button", { name: "Done" }).click();
  });

  await test.step("filter and export the audit log", async () => {
    await row.getByRole("button", { name: /^Manage/ }).click();
    await page.getByRole("button", { name: "Show in the audit log" }).click();
    await expect(page).toHaveURL(/actor=/);
    const entries = page.getByRole("table", { name: "Audit Log" }).locator("tbody").getByRole("row");
    await expect(entries.first()).toContainText(account.email);
    expect(await entries.filter({ hasText: account.email }).count()).toBe(await entries.count());
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    const file = await (await download).path();
    expect(readFileSync(file, "utf8")).toContain(account.email);
  });

  await test.step("what the data take", async () => {
    const figures = page.getByRole("region", { name: "Storage" });
    await expect(figures.getByText("Disk suffices for")).toBeVisible();
    await expect(figures.getByText(/^of [\d.]+ GB$/)).toBeVisible();
  });

  await inspect(page, "admin");
  await person.context().close();
});

test("the pages of a team and of a person are accessible", async ({ page, signedUp }) => {
  test.slow();
  const { account, client } = signedUp;
  const team = client.teamId ?? "";
  await client.createInvitation(team, "a.colleague@example.test", "maintainer");
  await signIn(page, account);
  await page.getByRole("button", { name: /^Team: / }).click();
  await expect(page.getByRole("button", { name: "New team" })).toBeVisible();
  await page.getByRole("button", { name: "New team" }).click();
  await expect(page.getByRole("dialog", { name: "New team" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: /^Team: / })).toBeFocused();
  await page.goto("/team");
  await expect(page.getByLabel("Team name")).toBeVisible();
  await inspect(page, "team");
  await page.getByRole("button", { name: "Delete team…" }).click();
  await inspect(page, "team-delete");
  await page.goto("/team/members");
  await expect(page.getByLabel(`Role of ${account.name}`)).toBeVisible();
  await inspect(page, "members");
  await page.goto("/team/invitations");
  await expect(page.getByText("a.colleague@example.test")).toBeVisible();
  await inspect(page, "invitations");
  await page.goto("/team/trusted-publishers");
  await expect(page.getByRole("region", { name: "GitHub Actions workflow" })).toBeVisible();
  await inspect(page, "trusted-publishers");
  await page.goto("/profile");
  await expect(page.getByText("This device")).toBeVisible();
  await inspect(page, "profile");
  // Who is signed in is sent on from there, but not past an error.
  await page.goto("/login?error=oauth_state");
  await expect(page.getByRole("alert")).toBeVisible();
  await page.goto("/login");
  await expect(page.getByRole("heading", { name: "Dashboard" })).toBeVisible();
});

test("the public pages of accounts are accessible", async ({ page, browser, baseURL, signedUp }) => {
  test.slow();
  const { url } = await signedUp.client.createInvitation(signedUp.client.teamId ?? "", newAccount().email, "readonly");
  await page.goto("/login?error=oauth_denied");
  await expect(page.getByRole("alert")).toBeVisible();
  await inspect(page, "login-error");
  await page.goto("/forgot-password");
  await expect(page.getByRole("link", { name: "Back to sign-in" })).toBeVisible();
  await inspect(page, "forgot-password");
  await page.goto("/reset-password/rst_0");
  await expect(page.getByLabel("New Password")).toBeVisible();
  await inspect(page, "reset-password");
  await page.goto(pathOf(url));
  await expect(page.getByRole("button", { name: "Accept Invitation" })).toBeVisible();
  await inspect(page, "invitation");
  const refused = await anotherBrowser(browser, baseURL);
  await refused.goto(`/invitations/inv_${"0".repeat(64)}`);
  await expect(refused.getByRole("heading", { name: "No such invitation" })).toBeVisible();
  await inspect(refused, "invitation-unknown");
  await refused.goto("/verify-email/nonsense");
  await refused.getByRole("button", { name: "Verify Address" }).click();
  await expect(refused.getByRole("heading", { name: "This link is no longer good" })).toBeVisible();
  await inspect(refused, "verify-email");
  await refused.context().close();
});
