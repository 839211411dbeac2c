import type { ROLES } from "../../lib/team.ts";

/** What each of these roles allows. */
export function RoleLegend({ roles }: { roles: typeof ROLES }) {
  return (
    <dl className="mt-4 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-[13px] text-muted-foreground">
      {roles.map(({ role, label, may }) => (
        <div key={role} className="contents">
          <dt className="font-medium">{label}</dt>
          <dd>{may}</dd>
        </div>
      ))}
    </dl>
  );
}
