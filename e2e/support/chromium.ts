import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The names that scripts/setup.py is content with. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The browser under test: CHROMIUM_PATH, else the first of the names that is on the PATH. */
export function chromium(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.CHROMIUM_PATH) return environment.CHROMIUM_PATH;
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const found = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
  if (found === undefined) {
    throw new Error(`none of ${NAMES.join(", ")} is on the PATH: run scripts/setup.py --tests, or set CHROMIUM_PATH`);
  }
  return found;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
