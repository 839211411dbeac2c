import { CircleAlert, CircleCheck, CircleHelp, TriangleAlert, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "../lib/cx.ts";
import { actually, expected, GATE_STATUS, kindName, scopeWords, typeOf, type RuleOutcome } from "../lib/gates.ts";
import type { GateStatus } from "@scaledtest/sdk";
import { Badge } from "./Badge.tsx";
import { Time } from "./Time.tsx";

export function GateBadge({ status }: { status: GateStatus }) {
  const { label, tone } = GATE_STATUS[status];
  return <Badge tone={tone}>{label}</Badge>;
}

function look({ passed, status, level, waived }: RuleOutcome): { icon: LucideIcon; text: string; word: string } {
  if (waived) return { icon: CircleCheck, text: "text-flaky", word: "Waived" };
  if (passed) return { icon: CircleCheck, text: "text-passed", word: "Holds" };
  if (level === "warn") return { icon: TriangleAlert, text: "text-flaky", word: "Warning" };
  if (status === "error") return { icon: CircleHelp, text: "text-failed", word: "Cannot be evaluated" };
  return { icon: CircleAlert, text: "text-failed", word: "Does not hold" };
}

/** Every rule of an evaluation, those that hold too: what was asked, what there was, and what speaks against it. */
export function GateRules({ label, results, action, who }: {
  label: string;
  results: RuleOutcome[];
  action?: (result: RuleOutcome) => ReactNode;
  who?: (userId: string) => string | undefined;
}) {
  return (
    <ul aria-label={label} className="divide-y">
      {results.map((result, index) => <Line key={index} result={result} action={action?.(result)} who={who} />)}
    </ul>
  );
}

function Line({ result, action, who }: { result: RuleOutcome; action: ReactNode; who: ((userId: string) => string | undefined) | undefined }) {
  const type = typeOf(result);
  const { icon: Icon, text, word } = look(result);
  const scope = scopeWords(result.rule);
  const failed = !result.passed || result.waived;
  return (
    <li className="grid grid-cols-[auto_minmax(0,1fr)_auto] items-start gap-x-2.5 gap-y-0.5 px-4 py-2 md:grid-cols-[auto_13rem_minmax(0,1fr)_auto]">
      <Icon aria-hidden size={16} className={cx("mt-0.5", text)} />
      <div className="min-w-0">
        <p className="font-medium"><span className="sr-only">{word}: </span>{kindName(type)}</p>
        {scope !== "" && <p className="text-xs break-all text-muted-foreground">{scope}</p>}
      </div>
      <div className="min-w-0 max-md:col-span-2 max-md:col-start-2 max-md:row-start-2">
        <p className="flex flex-wrap items-baseline gap-x-2">
          {result.status === "error" ? null : (
            <span className="whitespace-nowrap tabular-nums">
              <span className="sr-only">Actual </span><strong className={cx("font-semibold", failed && text)}>{actually(type, result.actual)}</strong>
              <span className="text-muted-foreground">, expected {expected(type, result.rule, result.threshold)}</span>
            </span>
          )}
          {result.level === "warn" && <Badge tone="warn">warning only</Badge>}
          {result.waived && <Badge tone="warn">waived</Badge>}
        </p>
        <p className="text-[13px] break-words text-muted-foreground">{result.message}</p>
        {failed && result.examples.length > 0 && <p className="text-[13px] break-words">{result.examples.slice(0, 5).join(", ")}{result.examples.length > 5 && " …"}</p>}
        {result.waiver && (
          <p className="text-[13px] break-words">
            Waived{who?.(result.waiver.user_id) && <> by {who(result.waiver.user_id)}</>}: {result.waiver.reason} <span className="text-muted-foreground">(until <Time iso={result.waiver.expires_at} />)</span>
          </p>
        )}
      </div>
      <div className="max-md:col-start-3 max-md:row-start-1">{action}</div>
    </li>
  );
}
