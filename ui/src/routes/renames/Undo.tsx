import type { Rename } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Confirm } from "../../components/Dialog.tsx";
import { refreshTests } from "../../insight-queries.ts";
import { client } from "../../session.ts";

interface Props {
  project: string;
  rename: Rename | undefined;
  onDone?: (text: string) => void;
  onClose: () => void;
}

/** Asks before two tests are two again. */
export function Undo({ project, rename, onDone, onClose }: Props) {
  const undo = useMutation({
    mutationFn: async (from: string) => {
      await client.insight.undoRename(project, from);
      await refreshTests();
    },
    onSuccess: () => {
      onClose();
      onDone?.("The tests are separate again");
    },
  });
  return (
    <Confirm
      open={rename !== undefined}
      title={`Separate “${rename?.from.name ?? ""}” from “${rename?.to.name ?? ""}”?`}
      action="Separate"
      busy={undo.isPending}
      error={undo.error}
      onConfirm={() => { if (rename) undo.mutate(rename.from.id); }}
      onClose={() => { undo.reset(); onClose(); }}
    >
      Each has again what was reported under its own name, as if they had never been joined.
    </Confirm>
  );
}
