import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Page } from "@playwright/test";
import { expect, expectAccessible } from "./fixtures.ts";

const screens = resolve(import.meta.dirname, "../test-results/screens");
const SIZES = [{ width: 1280, height: 800 }, { width: 390, height: 844 }];
const THEMES = ["light", "dark"] as const;

/** Looks at the page as it is now, in both themes and at both widths. */
export async function inspect(page: Page, name: string): Promise<void> {
  mkdirSync(screens, { recursive: true });
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
      await page.screenshot({ path: `${screens}/${name}-${String(size.width)}-${theme}.png` });
      await expectAccessible(page, `${name}, ${String(size.width)} px, ${theme}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(wider, `${name} is wider than ${String(size.width)} px by`).toBeLessThanOrEqual(0);
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}
