import * as Tabs from "@radix-ui/react-tabs";
import type { Attachment, Attempt, Step, TestResultDetail } from "@scaledtest/sdk";
import { ExternalLink, Paperclip } from "lucide-react";
import { CodeBlock } from "../../components/CodeBlock.tsx";
import { StatusIcon, StatusText } from "../../components/Status.tsx";
import { formatDuration, safeUrl } from "../../lib/format.ts";
import { stripAnsi } from "../../lib/ansi.ts";

type Texts = Pick<Attempt, "message" | "trace" | "snippet" | "stdout" | "stderr" | "attachments">;

/** Reporters often repeat the message at the head of the trace; then the trace says it all. */
export function traceCovers(message: string, trace: string | null | undefined): boolean {
  return !!trace && stripAnsi(trace).trimStart().startsWith(stripAnsi(message).trim());
}

/** What one execution left behind. */
function Output({ texts }: { texts: Texts }) {
  const { message, trace, snippet, stdout, stderr } = texts;
  return (
    <div className="flex flex-col gap-3">
      {message && !traceCovers(message, trace) && <CodeBlock title="Message" text={message} />}
      {trace && <CodeBlock title="Trace" text={trace} tall />}
      {snippet && <CodeBlock title="Source" text={snippet} wrapped={false} />}
      {stdout && <CodeBlock title="Standard output" text={stdout} />}
      {stderr && <CodeBlock title="Standard error" text={stderr} />}
      {texts.attachments.length > 0 && <Attachments items={texts.attachments} />}
    </div>
  );
}

function Attachments({ items }: { items: Attachment[] }) {
  return (
    <section aria-label="Attachments" className="panel">
      <h3 className="border-b px-3 py-2 text-[13px] font-medium">Attachments</h3>
      <ul className="divide-y">
        {items.map((item, index) => {
          const link = safeUrl(item.path);
          return (
            <li key={index} className="flex items-start gap-2 px-3 py-2">
              <Paperclip aria-hidden size={14} className="mt-0.5 shrink-0 text-muted-foreground" />
              <div className="min-w-0">
                <p>{item.name} <span className="text-muted-foreground">{item.content_type}</span></p>
                {link ? (
                  <a href={link} target="_blank" rel="noreferrer noopener" className="inline-flex items-center gap-1 font-mono text-xs break-all text-primary underline">
                    {item.path}
                    <ExternalLink aria-hidden size={11} />
                  </a>
                ) : (
                  <p className="font-mono text-xs break-all text-muted-foreground">{item.path}</p>
                )}
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Steps({ items }: { items: Step[] }) {
  return (
    <section aria-label="Steps" className="panel">
      <h3 className="border-b px-3 py-2 text-[13px] font-medium">Steps</h3>
      <ol className="divide-y">
        {items.map((step, index) => (
          <li key={index} className="flex items-start gap-2 px-3 py-1.5">
            <span className="mt-0.5"><StatusIcon status={step.status} size={14} /></span>
            <span className="[overflow-wrap:anywhere]">{step.name}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The executions of a retried test, the last one first to be seen. */
function Attempts({ result }: { result: TestResultDetail }) {
  const last = "last";
  const tab = "flex shrink-0 items-center gap-1.5 rounded-md border px-2.5 py-1.5 text-[13px] data-[state=active]:border-primary data-[state=active]:bg-accent";
  return (
    <Tabs.Root defaultValue={last}>
      <Tabs.List aria-label="Attempts" className="mb-3 flex flex-wrap gap-1.5">
        {result.attempts.map((attempt) => (
          <Tabs.Trigger key={attempt.attempt} value={String(attempt.attempt)} className={tab}>
            <StatusIcon status={attempt.status} size={14} />
            Attempt {attempt.attempt}
            {attempt.duration_ms != null && <span className="text-muted-foreground">{formatDuration(attempt.duration_ms)}</span>}
          </Tabs.Trigger>
        ))}
        <Tabs.Trigger value={last} className={tab}>
          <StatusIcon status={result.status} size={14} />
          Final
          <span className="text-muted-foreground">{formatDuration(result.duration_ms)}</span>
        </Tabs.Trigger>
      </Tabs.List>
      {result.attempts.map((attempt) => (
        <Tabs.Content key={attempt.attempt} value={String(attempt.attempt)}>
          <Output texts={attempt} />
          {!hasOutput(attempt) && <Nothing status={attempt.status} />}
        </Tabs.Content>
      ))}
      <Tabs.Content value={last}>
        <Output texts={result} />
        {!hasOutput(result) && <Nothing status={result.status} />}
      </Tabs.Content>
    </Tabs.Root>
  );
}

function hasOutput({ message, trace, snippet, stdout, stderr, attachments }: Texts): boolean {
  return [message, trace, snippet, stdout, stderr].some(Boolean) || attachments.length > 0;
}

function Nothing({ status }: { status: Attempt["status"] }) {
  return (
    <p className="flex items-center gap-2 text-muted-foreground">
      <StatusText status={status} />
      The report says nothing more about it.
    </p>
  );
}

export function DetailBody({ result }: { result: TestResultDetail }) {
  const extra = result.extra ?? {};
  return (
    <div className="flex flex-col gap-3">
      {result.attempts.length > 0 ? <Attempts result={result} /> : <Output texts={result} />}
      {result.attempts.length === 0 && !hasOutput(result) && <Nothing status={result.status} />}
      {result.steps.length > 0 && <Steps items={result.steps} />}
      {Object.keys(extra).length > 0 && <CodeBlock title="Other fields" text={JSON.stringify(extra, null, 2)} />}
    </div>
  );
}
