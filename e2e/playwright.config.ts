import { defineConfig } from "@playwright/test";
import { chromium } from "./support/chromium.ts";

// What a browser under test needs on a build machine: no sandbox as root, no graphics card, no calls home.
const quiet = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const asRoot = process.getuid?.() === 0;

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results/artifacts",
  globalSetup: "./support/server.ts",
  workers: 1,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: !!process.env.CI,
  reporter: [["list"]],
  use: {
    // Set by the global setup, which runs before the workers read this file.
    baseURL: process.env.E2E_BASE_URL,
    viewport: { width: 1280, height: 800 },
    actionTimeout: 10_000,
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: chromium(),
      args: asRoot ? ["--no-sandbox", ...quiet] : quiet,
    },
  },
});
