import type { Rename, TestDetail } from "@scaledtest/sdk";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Time } from "../../components/Time.tsx";
import { placeOf } from "../../lib/renames.ts";
import { useTeam } from "../../queries.ts";
import { Undo } from "../renames/Undo.tsx";
import { JoinDialog } from "./JoinDialog.tsx";

/** What the test was called before, and the way to add another old name. */
export function RenamedPanel({ test }: { test: TestDetail }) {
  const may = useTeam()?.role !== "readonly";
  const [undoing, setUndoing] = useState<Rename>();
  const [joining, setJoining] = useState(false);
  if (test.renamed_from.length === 0 && !may) return null;
  return (
    <div className="mb-3 flex flex-wrap items-start gap-x-4 gap-y-2 text-[13px]">
      {test.renamed_from.length > 0 && (
        <ul aria-label="Earlier names" className="flex min-w-0 flex-col gap-1">
          {test.renamed_from.map((rename) => (
            <li key={rename.from.id} className="flex flex-wrap items-center gap-x-2 gap-y-1">
              <span className="[overflow-wrap:anywhere]">
                Was called <strong className="font-medium" title={placeOf(rename.from)}>{rename.from.name}</strong>
                {rename.last_seen_at && <> until <Time iso={rename.last_seen_at} /></>}
              </span>
              {may && <Button small look="ghost" aria-label={`Undo: was called ${rename.from.name}`} onClick={() => { setUndoing(rename); }}>Undo…</Button>}
            </li>
          ))}
        </ul>
      )}
      {may && <Button small look="ghost" className={test.renamed_from.length === 0 ? "-ml-2" : ""} onClick={() => { setJoining(true); }}>Add an earlier name…</Button>}
      <Undo project={test.project.id} rename={undoing} onClose={() => { setUndoing(undefined); }} />
      <JoinDialog test={test} open={joining} onClose={() => { setJoining(false); }} />
    </div>
  );
}
