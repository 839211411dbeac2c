import { ApiError, type ErrorDetail, type ErrorVariant } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate, useParams } from "@tanstack/react-router";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { ErrorTicket } from "../../components/ErrorTicket.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { TestName } from "../../components/TestName.tsx";
import { Time } from "../../components/Time.tsx";
import { useTitle } from "../../hooks.ts";
import { errorQuery } from "../../insight-queries.ts";
import { stripAnsi } from "../../lib/ansi.ts";
import { formatCount, plural, shortened } from "../../lib/format.ts";
import { NotFound } from "../NotFound.tsx";

/** One error: what it says, when and where it was seen, and its variants. */
export function ErrorPage() {
  const { projectId, fingerprint } = useParams({ from: "/app/in-team/errors/$projectId/$fingerprint" });
  const query = useQuery(errorQuery(projectId, fingerprint));
  useTitle(query.data ? firstLine(query.data.message) : "Error");
  if (query.isPending) return <Skeleton rows={8} />;
  if (!query.data) {
    const { error } = query;
    if (error instanceof ApiError && error.status === 404) return <NotFound what="This error" />;
    return <ErrorBox error={error} retry={() => void query.refetch()} />;
  }
  // A link to one of its variants.
  if (query.data.fingerprint !== fingerprint) {
    return <Navigate to="/errors/$projectId/$fingerprint" params={{ projectId, fingerprint: query.data.fingerprint }} replace />;
  }
  return <Page error={query.data} />;
}

function firstLine(message: string): string {
  const text = stripAnsi(message).trim();
  return text === "" ? "No message" : text.slice(0, text.search(/$/m));
}

function Page({ error }: { error: ErrorDetail }) {
  const rest = stripAnsi(error.message).trim().split("\n").slice(1).join("\n").trim();
  const { project } = error;
  return (
    <>
      <nav aria-label="Breadcrumb" className="mb-1 text-[13px] text-muted-foreground">
        <Link to="/analytics" search={{ project: project.name }} className="underline-offset-2 hover:underline">{project.name}</Link>
        <span> › Errors</span>
      </nav>
      <h1 className="mb-3 text-xl font-semibold tracking-tight [overflow-wrap:anywhere]">{firstLine(error.message)}</h1>
      {rest && <pre className="panel mb-4 max-h-64 overflow-auto px-4 py-3 font-mono text-[12.5px] break-words whitespace-pre-wrap">{rest}</pre>}
      <Facts error={error} />
      {error.variants_total > 1 && (
        <Section title={plural(error.variants_total, "Variant")} note="Failures that say nearly the same are one error, wherever they are raised." bare>
          <DataTable label="Variants" columns={VARIANTS} rows={error.variants} rowKey={({ fingerprint }) => fingerprint} />
          <More shown={error.variants.length} of={error.variants_total} />
        </Section>
      )}
      <Section title={plural(error.tests_total, "Test")} note="That ever failed so, the most frequent first." bare>
        <DataTable label="Tests" columns={TESTS} rows={error.tests} rowKey={({ id }) => id} />
        <More shown={error.tests.length} of={error.tests_total} />
      </Section>
    </>
  );
}

function Facts({ error }: { error: ErrorDetail }) {
  return (
    <dl className="panel mb-6 grid grid-cols-2 gap-x-6 gap-y-3 px-4 py-3 sm:grid-cols-[repeat(4,auto)_minmax(0,1fr)]">
      <div><dt className="text-[13px] text-muted-foreground">Failures</dt><dd>{formatCount(error.failures)}</dd></div>
      <div><dt className="text-[13px] text-muted-foreground">First seen</dt><dd><Time iso={error.first_seen} /></dd></div>
      <div><dt className="text-[13px] text-muted-foreground">Last seen</dt><dd><Time iso={error.last_seen} /></dd></div>
      <div className="min-w-0"><dt className="text-[13px] text-muted-foreground">Ticket</dt><dd><ErrorTicket project={error.project.id} fingerprint={error.fingerprint} issue={error.issue} name={shortened(error.message)} none="–" /></dd></div>
      <div className="col-span-2 min-w-0 sm:col-span-1"><dt className="text-[13px] text-muted-foreground">Branches</dt><dd className="break-words">{error.branches.join(", ")}</dd></div>
    </dl>
  );
}

function More({ shown, of }: { shown: number; of: number }) {
  if (of <= shown) return null;
  return <p className="mt-2 text-[13px] text-muted-foreground">There are {formatCount(of - shown)} more.</p>;
}

const VARIANTS: Column<ErrorVariant>[] = [
  {
    header: "Text",
    className: "max-w-0 w-3/5",
    cell: ({ headline, message, place, fingerprint }) => (
      <div className="min-w-0">
        <p className="line-clamp-3 font-mono text-[12.5px] break-words" title={stripAnsi(message)}>{headline || "No message"}</p>
        <p className="truncate font-mono text-xs text-muted-foreground">{place === undefined ? fingerprint : `at ${place} · ${fingerprint}`}</p>
      </div>
    ),
  },
  { header: "Failures", cell: ({ failures }) => formatCount(failures) },
  { header: "First seen", cell: ({ first_seen }) => <Time iso={first_seen} />, className: "whitespace-nowrap", wide: true },
  { header: "Last seen", cell: ({ last_seen }) => <Time iso={last_seen} />, className: "whitespace-nowrap" },
];

const TESTS: Column<ErrorDetail["tests"][number]>[] = [
  { header: "Test", className: "max-w-0 w-4/5", cell: ({ id, name, suite }) => <TestName id={id} name={name} suite={suite.join(" › ")} tall /> },
  { header: "Failures", cell: ({ failures }) => formatCount(failures) },
];
