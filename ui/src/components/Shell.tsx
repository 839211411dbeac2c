import * as Radix from "@radix-ui/react-dialog";
import type { LiveState } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { ChartLine, FlaskConical, Info, KeyRound, LayoutDashboard, ListChecks, LogOut, Menu, Moon, ShieldAlert, ShieldCheck, Sun, Ticket, Users, VolumeX, X, type LucideIcon } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { farewells, say, useFlash } from "../flash.ts";
import { useInertPage, useWide } from "../hooks.ts";
import { cx } from "../lib/cx.ts";
import { useLive } from "../live.ts";
import { teamsQuery, useTeam } from "../queries.ts";
import { signOut, useUser } from "../session.ts";
import { useTheme } from "../theme.ts";
import { Button } from "./Button.tsx";
import { ErrorBox } from "./States.tsx";
import { NoTeam } from "./NoTeam.tsx";
import { TeamSwitcher } from "./TeamSwitcher.tsx";

interface Place {
  to: "/" | "/reports" | "/tests" | "/quarantine" | "/issues" | "/analytics" | "/quality-gates" | "/tokens" | "/team" | "/admin";
  id: string;
  label: string;
  icon: LucideIcon;
}

const NAV: Place[] = [
  { to: "/", id: "nav-dashboard", label: "Dashboard", icon: LayoutDashboard },
  { to: "/reports", id: "nav-reports", label: "Reports", icon: ListChecks },
  { to: "/tests", id: "nav-tests", label: "Tests", icon: FlaskConical },
  { to: "/quarantine", id: "nav-quarantine", label: "Quarantine", icon: VolumeX },
  { to: "/issues", id: "nav-issues", label: "Known Issues", icon: Ticket },
  { to: "/analytics", id: "nav-analytics", label: "Analytics", icon: ChartLine },
  { to: "/quality-gates", id: "nav-quality-gates", label: "Quality Gates", icon: ShieldAlert },
  { to: "/tokens", id: "nav-tokens", label: "API Tokens", icon: KeyRound },
  { to: "/team", id: "nav-team", label: "Team", icon: Users },
];

const ADMIN: Place = { to: "/admin", id: "nav-admin", label: "Admin", icon: ShieldCheck };

export function Wordmark({ onNavigate }: { onNavigate?: () => void }) {
  return (
    <Link to="/" id="nav-home" onClick={onNavigate} className="inline-flex items-center gap-2 text-[15px] font-semibold tracking-tight">
      <svg aria-hidden viewBox="0 0 32 32" className="size-6">
        <rect width="32" height="32" rx="7" className="fill-primary" />
        <path d="M7 22V15M13 22V11M19 22V13M25 22V8" className="stroke-primary-foreground" strokeWidth="3.2" strokeLinecap="round" />
      </svg>
      ScaledTest
    </Link>
  );
}

function Navigation({ onNavigate }: { onNavigate?: () => void }) {
  const owner = useUser()?.role === "owner";
  return (
    <nav aria-label="Main" className="flex flex-col gap-0.5">
      {[...NAV, ...(owner ? [ADMIN] : [])].map(({ to, id, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          id={id}
          onClick={onNavigate}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          className="flex h-9 items-center gap-2.5 rounded-md px-2.5 text-muted-foreground hover:bg-muted hover:text-foreground data-[status=active]:bg-accent data-[status=active]:font-medium data-[status=active]:text-foreground"
        >
          <Icon aria-hidden size={16} />
          {label}
        </Link>
      ))}
    </nav>
  );
}

export function ThemeToggle() {
  const { theme, toggle } = useTheme();
  const label = theme === "dark" ? "Use the light theme" : "Use the dark theme";
  return (
    <Button look="ghost" small aria-label={label} title={label} onClick={toggle} className="w-7.5">
      {theme === "dark" ? <Sun aria-hidden size={16} /> : <Moon aria-hidden size={16} />}
    </Button>
  );
}

function SignOut({ compact }: { compact?: boolean }) {
  return (
    <Button
      id="btn-sign-out"
      look={compact ? "ghost" : "plain"}
      small
      onClick={() => void signOut()}
    >
      <LogOut aria-hidden size={14} />
      Sign Out
    </Button>
  );
}

function LiveDot({ state }: { state: LiveState | undefined }) {
  if (state === undefined) return null;
  const open = state === "open";
  return (
    <span role="status" className="inline-flex items-center gap-1.5 text-xs text-muted-foreground" title={open ? "New reports appear by themselves" : "Waiting for the connection to the server"}>
      <span aria-hidden className={cx("size-2 rounded-full", open ? "bg-passed-fill" : "border-2 border-flaky")} />
      {open ? "Live" : "Reconnecting"}
    </span>
  );
}

function Person({ onNavigate }: { onNavigate?: () => void }) {
  const user = useUser();
  return (
    <Link
      to="/profile"
      id="nav-profile"
      title={user?.email}
      onClick={onNavigate}
      className="flex min-h-9 min-w-0 items-center gap-2 rounded-md px-1 hover:bg-muted data-[status=active]:bg-accent"
    >
      <span aria-hidden className="grid size-7 shrink-0 place-items-center rounded-full bg-accent text-xs font-semibold uppercase">
        {user?.display_name.slice(0, 1)}
      </span>
      <span className="truncate text-[13px]">
        <span className="sr-only">Your account: </span>
        {user?.display_name}
      </span>
    </Link>
  );
}

function Sidebar({ live }: { live: LiveState | undefined }) {
  return (
    <aside className="sticky top-0 flex h-dvh w-56 shrink-0 flex-col gap-5 border-r bg-card px-3 py-4">
      <div className="flex items-center justify-between px-2">
        <Wordmark />
      </div>
      <TeamSwitcher />
      <Navigation />
      <div className="mt-auto flex flex-col gap-3">
        <div className="flex items-center justify-between px-1">
          <LiveDot state={live} />
          <ThemeToggle />
        </div>
        <div className="flex flex-col gap-2.5 border-t pt-3">
          <Person />
          <SignOut />
        </div>
      </div>
    </aside>
  );
}

function TopBar({ live }: { live: LiveState | undefined }) {
  const [open, setOpen] = useState(false);
  const close = () => { setOpen(false); };
  useInertPage(open);
  return (
    <header className="sticky top-0 z-30 flex h-12 items-center gap-2 border-b bg-card px-2">
      <Radix.Root open={open} onOpenChange={setOpen}>
        <Radix.Trigger asChild>
          <Button look="ghost" small aria-label="Menu" className="w-8"><Menu aria-hidden size={18} /></Button>
        </Radix.Trigger>
        <Radix.Portal>
          <div className="fixed inset-0 z-40 bg-black/45" aria-hidden />
          <Radix.Content aria-describedby={undefined} className="fixed inset-y-0 left-0 z-50 flex w-72 max-w-[85vw] flex-col gap-5 border-r bg-card p-4 shadow-xl">
            <div className="flex items-center justify-between">
              <Radix.Title asChild><h1 className="font-semibold">Menu</h1></Radix.Title>
              <Radix.Close asChild>
                <Button look="ghost" small aria-label="Close menu" className="w-8"><X aria-hidden size={18} /></Button>
              </Radix.Close>
            </div>
            <TeamSwitcher onNavigate={close} />
            <Navigation onNavigate={close} />
            <div className="mt-auto flex items-center justify-between border-t pt-3">
              <Person onNavigate={close} />
              <ThemeToggle />
            </div>
          </Radix.Content>
        </Radix.Portal>
      </Radix.Root>
      <Wordmark />
      <span className="ml-auto" />
      <LiveDot state={live} />
      <SignOut compact />
    </header>
  );
}

/** Puts the focus on the content after a change of page, as a browser does after loading one. */
function useFocusOnNavigation() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const last = useRef(path);
  useEffect(() => {
    if (last.current !== path) main.current?.focus({ preventScroll: true });
    last.current = path;
  }, [path]);
  return main;
}

/** Says it when the person is no longer in the team that the page showed. */
function useLostTeam() {
  const teams = useQuery(teamsQuery).data;
  const team = useTeam();
  const last = useRef(team);
  useEffect(() => {
    const before = last.current;
    last.current = team;
    if (before && teams && !teams.some(({ id }) => id === before.id)) {
      const words = farewells.get(before.id) ?? `You are no longer in the team “${before.name}”.`;
      say(team ? `${words} This is “${team.name}”.` : words);
    }
  }, [teams, team]);
}

function Flash() {
  const text = useFlash();
  return (
    <div role="status">
      {text !== undefined && (
        <div className="mb-4 flex items-center gap-2.5 rounded-md border bg-accent px-3 py-2">
          <Info aria-hidden size={16} className="shrink-0" />
          <p className="min-w-0 flex-1 break-words">{text}</p>
          <Button look="ghost" small aria-label="Dismiss" className="w-7.5" onClick={() => { say(undefined); }}><X aria-hidden size={15} /></Button>
        </div>
      )}
    </div>
  );
}

/** The frame of every signed-in page. */
export function Shell() {
  const wide = useWide();
  const team = useTeam();
  const { state, notice } = useLive(team?.id);
  const main = useFocusOnNavigation();
  useLostTeam();
  return (
    <div className="lg:flex">
      <a href="#main" className="sr-only z-50 rounded-md bg-primary px-3 py-2 text-primary-foreground focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        Skip to content
      </a>
      {wide ? <Sidebar live={team && state} /> : <TopBar live={team && state} />}
      <main id="main" ref={main} tabIndex={-1} className="min-w-0 flex-1 px-4 py-5 sm:px-6 lg:px-8">
        <div className="mx-auto max-w-[84rem]">
          <Flash />
          <Outlet />
        </div>
      </main>
      <p aria-live="polite" className="sr-only">{notice}</p>
    </div>
  );
}

/** The pages that show a team's things; each switch of team starts them afresh. */
export function TeamPages() {
  const teams = useQuery(teamsQuery);
  const team = useTeam();
  if (team) return <Outlet key={team.id} />;
  if (teams.isError) return <ErrorBox error={teams.error} retry={() => void teams.refetch()} />;
  return teams.isPending ? null : <NoTeam />;
}
