import { expect, signIn, test, testsOf } from "../support/fixtures.ts";

const TESTS = 20_000;

/** A CTRF report with many tests, one in a hundred failed. */
function largeReport() {
  const tests = Array.from({ length: TESTS }, (_, n) => {
    const failed = n % 100 === 99;
    return {
      name: `case ${String(n + 1).padStart(5, "0")} of the large suite`,
      status: failed ? "failed" : "passed",
      duration: (n * 37) % 5000,
      suite: [`module ${String(Math.floor(n / 500))}`, `group ${String(n % 7)}`],
      filePath: `tests/module_${String(Math.floor(n / 500))}.py`,
      ...(failed && { message: `AssertionError: ${String(n)} != 0`, trace: `Traceback\n  line ${String(n)}\nAssertionError` }),
    };
  });
  const failed = TESTS / 100;
  return {
    reportFormat: "CTRF",
    specVersion: "0.0.0",
    results: {
      tool: { name: "pytest" },
      summary: { tests: TESTS, passed: TESTS - failed, failed, skipped: 0, pending: 0, other: 0, start: 1_767_225_600_000, stop: 1_767_226_200_000 },
      tests,
    },
  };
}

test("a run of 20,000 tests scrolls to its end with few rows in the page", async ({ page, signedUp }) => {
  test.slow();
  const accepted = await signedUp.client.upload(largeReport(), { branch: "main" });
  await signIn(page, signedUp.account);
  await page.goto(`/runs/${accepted.run_id}`);
  const tests = testsOf(page);
  await expect(tests.first()).toHaveAttribute("aria-setsize", String(TESTS));

  await page.mouse.move(700, 600);
  for (let turn = 0; turn < 20; turn += 1) {
    await page.mouse.wheel(0, 2400);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => { requestAnimationFrame(drawn); })));
    expect(await tests.count()).toBeLessThan(80);
  }
  await expect(page.getByRole("option", { name: /case 01000/ })).toHaveCount(1);

  await page.getByRole("listbox", { name: "Tests" }).focus();
  await page.keyboard.press("End");
  await expect(page.getByRole("option", { name: /case 20000/ })).toBeInViewport({ timeout: 30_000 });
  expect(await tests.count()).toBeLessThan(80);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: /case 20000/ }).getByRole("region", { name: "Trace" })).toContainText("AssertionError");
  await page.keyboard.press("Escape");

  await page.getByLabel("Search tests").fill("case 12345");
  await expect(tests).toHaveCount(1);
  await page.getByLabel("Search tests").fill("");
  await page.getByLabel("Order").selectOption("Slowest first");
  await expect(tests.first()).toContainText("5.0 s");
});
