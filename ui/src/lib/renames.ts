import type { RenamedTest, RenameReason } from "@scaledtest/sdk";

/** Suite and file of a test. */
export const placeOf = ({ suite, file_path: file }: RenamedTest): string => [suite.join(" › "), file].filter(Boolean).join(" · ");

/** Why two tests are taken for one. */
export function reasonWords({ reason, similarity, from, to }: { reason: RenameReason; similarity: number; from: RenamedTest; to: RenamedTest }): string {
  if (reason === "moved") return "same name in another place";
  if (reason === "by_hand") return "joined by hand";
  const where = from.file_path != null && from.file_path === to.file_path ? "same file" : "same suite";
  const words = reason === "only_one" ? `the only change in the ${where}, similarity` : `${where}, similarity`;
  return `${words} ${similarity.toFixed(2)}`;
}
