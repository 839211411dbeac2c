import * as Radix from "@radix-ui/react-dialog";
import type { LiveState } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { KeyRound, LayoutDashboard, ListChecks, LogOut, Menu, Moon, Sun, X, type LucideIcon } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useInertPage, useWide } from "../hooks.ts";
import { cx } from "../lib/cx.ts";
import { useLive } from "../live.ts";
import { queryClient, teamsQuery, useTeam } from "../queries.ts";
import { chooseTeam, client, signOut } from "../session.ts";
import { useTheme } from "../theme.ts";
import { Button } from "./Button.tsx";
import { ErrorBox } from "./States.tsx";

const NAV: { to: "/" | "/reports" | "/tokens"; id: string; label: string; icon: LucideIcon }[] = [
  { to: "/", id: "nav-dashboard", label: "Dashboard", icon: LayoutDashboard },
  { to: "/reports", id: "nav-reports", label: "Reports", icon: ListChecks },
  { to: "/tokens", id: "nav-tokens", label: "API Tokens", icon: KeyRound },
];

function Wordmark({ onNavigate }: { onNavigate?: () => void }) {
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
  return (
    <nav aria-label="Main" className="flex flex-col gap-0.5">
      {NAV.map(({ to, id, label, icon: Icon }) => (
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

function TeamSwitcher() {
  const teams = useQuery(teamsQuery).data;
  const team = useTeam();
  const navigate = useNavigate();
  if (!teams || !team) return null;
  if (teams.length === 1) return <p className="truncate px-2.5 text-[13px] text-muted-foreground" title={team.name}>{team.name}</p>;
  return (
    <select
      aria-label="Team"
      className="field w-full"
      value={team.id}
      onChange={(event) => {
        chooseTeam(event.target.value);
        void queryClient.invalidateQueries({ queryKey: teamsQuery.queryKey });
        void navigate({ to: "/" });
      }}
    >
      {teams.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
    </select>
  );
}

function ThemeToggle() {
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

function LiveDot({ state }: { state: LiveState }) {
  const open = state === "open";
  return (
    <span role="status" className="inline-flex items-center gap-1.5 text-xs text-muted-foreground" title={open ? "New reports appear by themselves" : "Waiting for the connection to the server"}>
      <span aria-hidden className={cx("size-2 rounded-full", open ? "bg-passed-fill" : "border-2 border-flaky")} />
      {open ? "Live" : "Reconnecting"}
    </span>
  );
}

function Person() {
  const user = client.session?.user;
  return (
    <div className="flex min-w-0 items-center gap-2 px-1">
      <span aria-hidden className="grid size-7 shrink-0 place-items-center rounded-full bg-accent text-xs font-semibold uppercase">
        {user?.display_name.slice(0, 1)}
      </span>
      <span className="truncate text-[13px]" title={user?.email}>{user?.display_name}</span>
    </div>
  );
}

function Sidebar({ live }: { live: LiveState }) {
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

function TopBar({ live }: { live: LiveState }) {
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
            <TeamSwitcher />
            <Navigation onNavigate={close} />
            <div className="mt-auto flex items-center justify-between border-t pt-3">
              <Person />
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

/** The frame of every signed-in page. */
export function Shell() {
  const wide = useWide();
  const teams = useQuery(teamsQuery);
  const team = useTeam();
  const { state, notice } = useLive(team?.id);
  const main = useFocusOnNavigation();
  return (
    <div className="lg:flex">
      <a href="#main" className="sr-only z-50 rounded-md bg-primary px-3 py-2 text-primary-foreground focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        Skip to content
      </a>
      {wide ? <Sidebar live={state} /> : <TopBar live={state} />}
      <main id="main" ref={main} tabIndex={-1} className="min-w-0 flex-1 px-4 py-5 sm:px-6 lg:px-8">
        <div className="mx-auto max-w-[84rem]">
          {teams.isError && <ErrorBox error={teams.error} retry={() => void teams.refetch()} />}
          {team && <Outlet key={team.id} />}
        </div>
      </main>
      <p aria-live="polite" className="sr-only">{notice}</p>
    </div>
  );
}
