import type { Run } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { GitCompareArrows } from "lucide-react";
import { Button, buttonClass } from "../../components/Button.tsx";

/** What is chosen for a comparison, at the foot of the window. The list is newest first, so the later one is the base. */
export function SelectedRuns({ runs, onClear }: { runs: Run[]; onClear: () => void }) {
  const [head, base] = runs;
  return (
    <div className="pointer-events-none sticky bottom-3 z-20 mt-3 flex justify-center">
      <div role="status" className={head ? "panel pointer-events-auto flex flex-wrap items-center gap-x-3 gap-y-2 px-3 py-2 shadow-lg" : "sr-only"}>
        {head && (
          <>
            <span>{base ? "2 runs selected" : "1 run selected: choose another one"}</span>
            {base && (
              <Link to="/reports/compare" search={{ base: base.id, head: head.id }} className={buttonClass("primary", true)}>
                <GitCompareArrows aria-hidden size={14} />
                Compare
              </Link>
            )}
            <Button small look="ghost" onClick={onClear}>Clear</Button>
          </>
        )}
      </div>
    </div>
  );
}
