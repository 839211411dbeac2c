import type { DurationChange } from "@scaledtest/sdk";
import { TrendingDown, TrendingUp } from "lucide-react";
import { Time } from "../../components/Time.tsx";
import { cx } from "../../lib/cx.ts";
import { formatDuration } from "../../lib/format.ts";
import { durationSentence } from "../../lib/insight.ts";
import { Places } from "./places.tsx";

/** Since when the test takes longer, or less long. */
export function DurationChanges({ changes, name }: { changes: DurationChange[]; name: string }) {
  if (changes.length === 0) return null;
  return (
    <ul aria-label="Changes of the duration" className="panel mt-3 divide-y">
      {changes.map((change) => {
        const slower = change.after_ms > change.before_ms;
        const Icon = slower ? TrendingUp : TrendingDown;
        return (
          <li key={change.at.report_id} className="flex items-start gap-2.5 px-4 py-2.5">
            <Icon aria-hidden size={16} className={cx("mt-0.5 shrink-0", slower ? "text-failed" : "text-passed")} />
            <div className="min-w-0">
              <p className="font-medium">{durationSentence(change)}</p>
              <p className="flex flex-wrap gap-x-3 gap-y-0.5 text-[13px] text-muted-foreground">
                <Time iso={change.at.at} />
                <span>median {formatDuration(change.before_ms)} → {formatDuration(change.after_ms)}</span>
                <Places change={change} name={name} />
              </p>
            </div>
          </li>
        );
      })}
    </ul>
  );
}
