import type { Rename } from "@scaledtest/sdk";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Time } from "../../components/Time.tsx";
import { reasonWords } from "../../lib/renames.ts";
import { OldAndNew } from "./OldAndNew.tsx";
import { Undo } from "./Undo.tsx";

interface Props {
  project: string;
  renames: Rename[];
  may: boolean;
  onDone: (text: string) => void;
}

/** What was joined, and the way back. */
export function Joined({ project, renames, may, onDone }: Props) {
  const [undoing, setUndoing] = useState<Rename>();
  return (
    <>
      <ul aria-label="Joined tests" className="panel divide-y">
        {renames.map((rename) => (
          <li key={rename.from.id} aria-label={`${rename.from.name} → ${rename.to.name}`} className="flex flex-wrap items-center gap-x-6 gap-y-2.5 px-4 py-3">
            <div className="min-w-0 flex-1 basis-96">
              <OldAndNew from={rename.from} to={rename.to} currentId={rename.current_id} />
              <p className="mt-1 flex flex-wrap gap-x-3 gap-y-0.5 text-[13px] text-muted-foreground">
                <span>{reasonWords(rename)}</span>
                <span>joined <Time iso={rename.accepted_at} /></span>
                {rename.last_seen_at && <span>old name last reported <Time iso={rename.last_seen_at} /></span>}
              </p>
            </div>
            {may && <Button small aria-label={`Undo ${rename.from.name} → ${rename.to.name}`} onClick={() => { setUndoing(rename); }}>Undo…</Button>}
          </li>
        ))}
      </ul>
      <Undo project={project} rename={undoing} onDone={onDone} onClose={() => { setUndoing(undefined); }} />
    </>
  );
}
