import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defaultClientConditions, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

const server = process.env.SCALEDTEST_URL ?? "http://127.0.0.1:8080";

/** Ships the blocking theme script as a hashed asset: a strict CSP allows no inline script. */
function themeBoot(): Plugin {
  const source = "/src/theme-boot.js";
  let hashed = source;
  return {
    name: "theme-boot",
    apply: "build",
    buildStart() {
      const code = readFileSync(new URL(`.${source}`, import.meta.url), "utf8");
      const digest = createHash("sha256").update(code).digest("hex").slice(0, 8);
      hashed = `assets/theme-boot-${digest}.js`;
      this.emitFile({ type: "asset", fileName: hashed, source: code });
    },
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace(source, `/${hashed}`),
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), themeBoot()],
  resolve: { conditions: ["scaledtest-source", ...defaultClientConditions] },
  build: { assetsInlineLimit: 0, target: "es2022", sourcemap: false },
  server: {
    // The host stays the browser's, so that the server takes these calls for its own pages'.
    proxy: {
      "/api": { target: server, changeOrigin: false },
      "/auth": { target: server, changeOrigin: false },
      "/badges": { target: server, changeOrigin: false },
      "/ws": { target: server, changeOrigin: false, ws: true },
    },
  },
  test: {
    environment: "jsdom",
    include: ["{src,test}/**/*.test.{ts,tsx}"],
  },
});
