import type { Issue } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Confirm } from "../../components/Dialog.tsx";
import { refreshIssues } from "../../issue-queries.ts";
import { client } from "../../session.ts";

/** Asks before an error's failures count again. */
export function Close({ issue, onClose }: { issue: Pick<Issue, "id" | "ticket"> | undefined; onClose: () => void }) {
  const close = useMutation({
    mutationFn: (id: string) => client.issues.close(id),
    onSuccess: async () => {
      await refreshIssues();
      onClose();
    },
  });
  return (
    <Confirm
      open={issue !== undefined}
      title={`Close “${issue?.ticket ?? ""}”?`}
      action="Close issue"
      busy={close.isPending}
      error={close.error}
      onConfirm={() => { if (issue) close.mutate(issue.id); }}
      onClose={() => { close.reset(); onClose(); }}
    >
      From now on what fails with this error counts again. Runs that were judged before stay as they are. The ticket itself is not touched.
    </Confirm>
  );
}
