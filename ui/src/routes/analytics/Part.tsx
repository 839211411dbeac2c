import type { ReactNode } from "react";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { cx } from "../../lib/cx.ts";

interface Query<Data> {
  data: Data[] | undefined;
  error: unknown;
  isPending: boolean;
  isPlaceholderData: boolean;
  refetch: () => unknown;
}

interface Props<Data> {
  title: string;
  note?: ReactNode;
  aside?: ReactNode;
  of: Query<Data>;
  /** What is said when there is nothing. */
  nothing: string;
  /** The content brings its own panel. */
  bare?: boolean;
  rows?: number;
  children: (data: Data[]) => ReactNode;
}

/** A part of the page that loads, fails and is empty for itself. */
export function Part<Data>({ title, note, aside, of: query, nothing, bare, rows, children }: Props<Data>) {
  const empty = query.data?.length === 0;
  return (
    <Section title={title} note={note} aside={empty ? undefined : aside} bare>
      {query.isPending && <Skeleton rows={rows ?? 4} />}
      {!query.isPending && query.data === undefined && <ErrorBox error={query.error} retry={() => { query.refetch(); }} />}
      {empty && <p className="panel px-4 py-8 text-center text-muted-foreground">{nothing}</p>}
      {query.data && !empty && <div className={cx(!bare && "panel p-4", query.isPlaceholderData && "opacity-60")}>{children(query.data)}</div>}
    </Section>
  );
}
