import type { ReactNode } from "react";
import { useMedia } from "../hooks.ts";
import { cx } from "../lib/cx.ts";

export interface Column<Row> {
  header: string;
  cell: (row: Row) => ReactNode;
  className?: string;
  /** Buttons: the header is only spoken, and on a small screen they stand beside the first cell. */
  actions?: boolean;
  /** Left out on a small screen. */
  wide?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  dimmed?: boolean;
}

/** Rows as a table, on a small screen as a list with the names of the columns beside the values. */
export function DataTable<Row>(props: Props<Row>) {
  const wide = useMedia("(min-width: 56rem)");
  return wide ? <Table {...props} /> : <List {...props} />;
}

function Table<Row>({ label, columns, rows, rowKey, dimmed }: Props<Row>) {
  return (
    <div className={cx("panel", dimmed && "opacity-60")}>
      <table aria-label={label} className="w-full border-collapse text-left">
        <thead>
          <tr className="border-b text-[13px] text-muted-foreground">
            {columns.map(({ header, actions }) => (
              <th key={header} scope="col" className="px-4 py-2 font-medium whitespace-nowrap">
                {actions ? <span className="sr-only">{header}</span> : header}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y">
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map(({ header, cell, className, actions }) => (
                <td key={header} className={cx("px-4 py-2.5", actions && "text-right whitespace-nowrap", className)}>{cell(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function List<Row>({ label, columns, rows, rowKey, dimmed }: Props<Row>) {
  const [first, ...rest] = columns.filter(({ actions, wide }) => !actions && !wide);
  const actions = columns.find((column) => column.actions);
  return (
    <ul aria-label={label} className={cx("panel divide-y", dimmed && "opacity-60")}>
      {rows.map((row) => (
        <li key={rowKey(row)} className="flex flex-col gap-2 px-4 py-3">
          <div className="flex flex-wrap items-start justify-between gap-x-3 gap-y-2">
            <div className="min-w-0 flex-1 basis-40">{first?.cell(row)}</div>
            {actions && <div>{actions.cell(row)}</div>}
          </div>
          <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-3 gap-y-1">
            {rest.map(({ header, cell }) => (
              <div key={header} className="contents">
                <dt className="text-[13px] text-muted-foreground">{header}</dt>
                <dd className="min-w-0 break-words">{cell(row)}</dd>
              </div>
            ))}
          </dl>
        </li>
      ))}
    </ul>
  );
}
