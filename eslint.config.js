import js from "@eslint/js";
import jsxA11y from "eslint-plugin-jsx-a11y";
import reactHooks from "eslint-plugin-react-hooks";
import globals from "globals";
import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "**/dist/",
      "**/node_modules/",
      "target/",
      ".tools/",
      ".scaledtest/",
      "e2e/test-results/",
      "e2e/playwright-report/",
      "sdk/src/schema.ts",
    ],
  },
  js.configs.recommended,
  {
    files: ["{sdk,ui,e2e}/**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ["./sdk/tsconfig.json", "./ui/tsconfig.json", "./ui/tsconfig.node.json", "./e2e/tsconfig.json"], tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/consistent-type-definitions": ["error", "interface"],
    },
  },
  {
    files: ["ui/src/**/*.{ts,tsx}"],
    extends: [reactHooks.configs.flat["recommended-latest"], jsxA11y.flatConfigs.strict],
    languageOptions: { globals: globals.browser },
  },
  { files: ["ui/src/theme-boot.js"], languageOptions: { sourceType: "script", globals: globals.browser }, rules: { "no-unused-vars": ["error", { caughtErrors: "none" }] } },
  { files: ["**/*.mjs", "*.config.js"], languageOptions: { globals: globals.node } },
);
