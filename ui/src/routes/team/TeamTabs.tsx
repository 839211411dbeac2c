import { Link, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

const TABS = [
  { to: "/team", label: "General" },
  { to: "/team/members", label: "Members" },
  { to: "/team/invitations", label: "Invitations" },
  { to: "/team/trusted-publishers", label: "Trusted publishers" },
  { to: "/team/owners", label: "Test owners" },
  { to: "/tokens", label: "API tokens" },
] as const;

/** The way between the pages about one team. */
export function TeamTabs() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const strip = useRef<HTMLElement>(null);
  // On a small screen the open one may be out of sight.
  useEffect(() => { strip.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }); }, [path]);
  return (
    <nav ref={strip} aria-label="Team" className="mb-5 flex gap-1 overflow-x-auto border-b px-px pt-px">
      {TABS.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: true, includeSearch: false }}
          className="-mb-px border-b-2 border-transparent px-3 py-1.5 font-medium whitespace-nowrap text-muted-foreground -outline-offset-2 hover:text-foreground data-[status=active]:border-primary data-[status=active]:text-foreground"
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
