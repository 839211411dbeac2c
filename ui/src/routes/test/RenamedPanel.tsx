import type { Rename, TestDetail } from "@scaledtest/sdk";
import { Replace } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Time } from "../../components/Time.tsx";
import { placeOf } from "../../lib/renames.ts";
import { useTeam } from "../../queries.ts";
import { Undo } from "../renames/Undo.tsx";
import { JoinDialog } from "./JoinDialog.tsx";

/** What the test was called before, and the way back. */
export function RenamedPanel({ test }: { test: TestDetail }) {
  const may = useTeam()?.role !== "readonly";
  const [undoing, setUndoing] = useState<Rename>();
  return (
    <>
      {test.renamed_from.length > 0 && (
        <ul aria-label="Earlier names" className="-mt-2 mb-3 flex flex-col text-[13px] text-muted-foreground">
          {test.renamed_from.map((rename) => (
            <li key={rename.from.id} className="flex flex-wrap items-center gap-x-1">
              <span className="[overflow-wrap:anywhere]">
                Was called <strong className="font-medium text-foreground" title={placeOf(rename.from)}>{rename.from.name}</strong>
                {rename.last_seen_at && <> until <Time iso={rename.last_seen_at} /></>}
              </span>
              {may && <Button small look="ghost" aria-label={`Undo: was called ${rename.from.name}`} onClick={() => { setUndoing(rename); }}>Undo…</Button>}
            </li>
          ))}
        </ul>
      )}
      <Undo project={test.project.id} rename={undoing} onClose={() => { setUndoing(undefined); }} />
    </>
  );
}

/** The way to say that another test is an earlier name of this one. */
export function JoinButton({ test }: { test: TestDetail }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button small onClick={() => { setOpen(true); }}><Replace aria-hidden size={14} />Add an earlier name…</Button>
      <JoinDialog test={test} open={open} onClose={() => { setOpen(false); }} />
    </>
  );
}
