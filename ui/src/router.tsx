import { createRootRoute, createRoute, createRouter, Outlet, redirect, type ErrorComponentProps } from "@tanstack/react-router";
import { Shell } from "./components/Shell.tsx";
import { ErrorBox } from "./components/States.tsx";
import { parseSearch, readResultSearch, readReturnTo, readRunSearch, stringifySearch, type ResultSearch, type RunSearch } from "./lib/search.ts";
import { Login } from "./routes/auth/Login.tsx";
import { Register } from "./routes/auth/Register.tsx";
import { Dashboard } from "./routes/dashboard/Dashboard.tsx";
import { NotFound } from "./routes/NotFound.tsx";
import { ReportRedirect } from "./routes/ReportRedirect.tsx";
import { Reports } from "./routes/reports/Reports.tsx";
import { RunPage } from "./routes/run/Run.tsx";
import { Tokens } from "./routes/tokens/Tokens.tsx";
import { client, hasLeft, startSession } from "./session.ts";

function Failure({ error, reset }: ErrorComponentProps) {
  return (
    <main className="mx-auto max-w-2xl px-4 py-16">
      <h1 className="mb-4 text-xl font-semibold">ScaledTest</h1>
      <ErrorBox
        title="This page could not be shown"
        error={error}
        retry={() => {
          reset();
          void router.invalidate();
        }}
      />
    </main>
  );
}

const root = createRootRoute({
  beforeLoad: startSession,
  component: Outlet,
  errorComponent: Failure,
  notFoundComponent: () => <main><NotFound /></main>,
});

const auth = (values: Record<string, unknown>): { redirect?: string } => {
  const back = readReturnTo(values.redirect);
  return back === undefined ? {} : { redirect: back };
};
const home = () => {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to redirect
  if (client.session) throw redirect({ to: "/" });
};
const login = createRoute({ getParentRoute: () => root, path: "/login", validateSearch: auth, beforeLoad: home, component: Login });
const register = createRoute({ getParentRoute: () => root, path: "/register", validateSearch: auth, beforeLoad: home, component: Register });

const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  beforeLoad: ({ location }) => {
    if (client.session) return;
    const back = location.href === "/" || hasLeft() ? {} : { redirect: location.href };
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to redirect
    throw redirect({ to: "/login", search: back });
  },
  component: Shell,
});

const dashboard = createRoute({ getParentRoute: () => app, path: "/", component: Dashboard });
const reports = createRoute({
  getParentRoute: () => app,
  path: "/reports",
  validateSearch: (values: Record<string, unknown>): RunSearch => readRunSearch(values),
  component: Reports,
});
const report = createRoute({ getParentRoute: () => app, path: "/reports/$reportId", component: ReportRedirect });
const run = createRoute({
  getParentRoute: () => app,
  path: "/runs/$runId",
  validateSearch: (values: Record<string, unknown>): ResultSearch => readResultSearch(values),
  component: RunPage,
});
const tokens = createRoute({ getParentRoute: () => app, path: "/tokens", component: Tokens });

export const router = createRouter({
  routeTree: root.addChildren([login, register, app.addChildren([dashboard, reports, report, run, tokens])]),
  parseSearch,
  stringifySearch,
  scrollRestoration: true,
  defaultErrorComponent: Failure,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
