import type { QuarantineEntry } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Confirm } from "../../components/Dialog.tsx";
import { refreshQuarantine } from "../../quarantine-queries.ts";
import { client } from "../../session.ts";

/** Asks before a test's failures count again. */
export function Release({ entry, onClose }: { entry: Pick<QuarantineEntry, "id" | "name"> | undefined; onClose: () => void }) {
  const release = useMutation({
    mutationFn: (id: string) => client.quarantine.release(id),
    onSuccess: async () => {
      await refreshQuarantine();
      onClose();
    },
  });
  return (
    <Confirm
      open={entry !== undefined}
      title={`Release “${entry?.name ?? ""}”?`}
      action="Release"
      busy={release.isPending}
      error={release.error}
      onConfirm={() => { if (entry) release.mutate(entry.id); }}
      onClose={() => { release.reset(); onClose(); }}
    >
      From now on its failures count again. Runs that were judged before stay as they are.
    </Confirm>
  );
}
