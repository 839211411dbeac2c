import { PageHeader } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { AuditLog } from "./AuditLog.tsx";
import { Settings } from "./Settings.tsx";
import { Storage } from "./Storage.tsx";
import { AdminTeams } from "./Teams.tsx";
import { Users } from "./Users.tsx";

const SECTIONS = [
  { id: "users", label: "Users" },
  { id: "teams", label: "Teams" },
  { id: "audit-log", label: "Audit Log" },
  { id: "storage", label: "Storage" },
  { id: "settings", label: "Settings" },
];

/** What only the owner of the instance sees: one page with everything, and the way to each part of it. */
export function Admin() {
  useTitle("Admin");
  const jump = (id: string) => {
    const heading = document.getElementById(id);
    heading?.scrollIntoView();
    heading?.closest("section")?.querySelector<HTMLElement>("input, select, button")?.focus({ preventScroll: true });
  };
  return (
    <>
      <PageHeader title="Admin" note="Everything on this server, whatever the team." />
      <div role="group" aria-label="Parts of this page" className="sticky top-12 z-20 -mx-1 mb-5 flex gap-1 overflow-x-auto border-b bg-background px-1 py-2 lg:top-0">
        {SECTIONS.map(({ id, label }) => (
          <button key={id} type="button" onClick={() => { jump(id); }} className="rounded-md px-2.5 py-1 font-medium whitespace-nowrap text-muted-foreground hover:bg-muted hover:text-foreground">
            {label}
          </button>
        ))}
      </div>
      <Users />
      <AdminTeams />
      <AuditLog />
      <Storage />
      <Settings />
    </>
  );
}
