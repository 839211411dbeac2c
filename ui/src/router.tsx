import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type ErrorComponentProps } from "@tanstack/react-router";
import { Shell, TeamPages } from "./components/Shell.tsx";
import { ErrorBox } from "./components/States.tsx";
import { readAnalyticsSearch, readIssuesSearch, readOwnersSearch, readQuarantineSearch, readRenamesSearch, readTestSearch, readTestsSearch } from "./lib/insight-search.ts";
import {
  overlaying,
  parseSearch,
  readAdminSearch,
  readAuthSearch,
  readCompareSearch,
  readProfileSearch,
  readResultSearch,
  readRunSearch,
  stringifySearch,
  type AuthSearch,
} from "./lib/search.ts";
import { Login } from "./routes/auth/Login.tsx";
import { Dashboard } from "./routes/dashboard/Dashboard.tsx";
import { NotFound } from "./routes/NotFound.tsx";
import { ReportRedirect } from "./routes/ReportRedirect.tsx";
import { Reports } from "./routes/reports/Reports.tsx";
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

const auth = overlaying(readAuthSearch);

/** Somebody who is signed in has nothing to do there, but to read what went wrong. */
const onward = ({ search }: { search: AuthSearch }) => {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to redirect
  if (client.session && search.error === undefined) throw redirect({ href: search.return_to ?? "/" });
};

// The sign-in, start and reports pages come with the first file; each of the others is fetched when it is opened.
const login = createRoute({ getParentRoute: () => root, path: "/login", validateSearch: auth, beforeLoad: onward, component: Login });
const outside = [
  createRoute({
    getParentRoute: () => root,
    path: "/register",
    validateSearch: auth,
    beforeLoad: onward,
    component: lazyRouteComponent(() => import("./routes/auth/Register.tsx"), "Register"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/forgot-password",
    component: lazyRouteComponent(() => import("./routes/auth/ForgotPassword.tsx"), "ForgotPassword"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/reset-password/$token",
    component: lazyRouteComponent(() => import("./routes/auth/ResetPassword.tsx"), "ResetPassword"),
  }),
  createRoute({
    getParentRoute: () => root,
    path: "/verify-email/$token",
    component: lazyRouteComponent(() => import("./routes/auth/VerifyEmail.tsx"), "VerifyEmail"),
  }),
  createRoute({ getParentRoute: () => root, path: "/invitations/$token", component: lazyRouteComponent(() => import("./routes/auth/Invitation.tsx"), "Invitation") }),
  createRoute({
    getParentRoute: () => root,
    path: "/shared/$token",
    validateSearch: overlaying(readResultSearch),
    component: lazyRouteComponent(() => import("./routes/shared/Shared.tsx"), "Shared"),
  }),
] as const;

const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  beforeLoad: ({ location }) => {
    if (client.session) return;
    const back = location.href === "/" || hasLeft() ? {} : { return_to: location.href };
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to redirect
    throw redirect({ to: "/login", search: back });
  },
  component: Shell,
});

const personal = [
  createRoute({
    getParentRoute: () => app,
    path: "/profile",
    validateSearch: overlaying(readProfileSearch),
    component: lazyRouteComponent(() => import("./routes/profile/Profile.tsx"), "Profile"),
  }),
  createRoute({
    getParentRoute: () => app,
    path: "/admin",
    validateSearch: overlaying(readAdminSearch),
    beforeLoad: () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- the router's way to redirect
      if (client.session?.user.role !== "owner") throw redirect({ to: "/" });
    },
    component: lazyRouteComponent(() => import("./routes/admin/Admin.tsx"), "Admin"),
  }),
] as const;

const inTeam = createRoute({ getParentRoute: () => app, id: "in-team", component: TeamPages });

const team = createRoute({
  getParentRoute: () => inTeam,
  path: "/team",
  component: lazyRouteComponent(() => import("./routes/team/TeamLayout.tsx"), "TeamLayout"),
});
const teamParts = [
  createRoute({
    getParentRoute: () => team,
    path: "/",
    component: lazyRouteComponent(() => import("./routes/team/General.tsx"), "General"),
  }),
  createRoute({
    getParentRoute: () => team,
    path: "/members",
    component: lazyRouteComponent(() => import("./routes/team/Members.tsx"), "Members"),
  }),
  createRoute({
    getParentRoute: () => team,
    path: "/invitations",
    component: lazyRouteComponent(() => import("./routes/team/Invitations.tsx"), "Invitations"),
  }),
  createRoute({
    getParentRoute: () => team,
    path: "/trusted-publishers",
    component: lazyRouteComponent(() => import("./routes/team/Publishers.tsx"), "Publishers"),
  }),
  createRoute({
    getParentRoute: () => team,
    path: "/owners",
    validateSearch: readOwnersSearch,
    component: lazyRouteComponent(() => import("./routes/team/Owners.tsx"), "Owners"),
  }),
] as const;

const teamPages = [
  createRoute({ getParentRoute: () => inTeam, path: "/", component: Dashboard }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/reports",
    validateSearch: overlaying(readRunSearch),
    component: Reports,
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/reports/compare",
    validateSearch: overlaying(readCompareSearch),
    component: lazyRouteComponent(() => import("./routes/compare/Compare.tsx"), "Compare"),
  }),
  createRoute({ getParentRoute: () => inTeam, path: "/reports/$reportId", component: ReportRedirect }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/runs/$runId",
    validateSearch: overlaying(readResultSearch),
    component: lazyRouteComponent(() => import("./routes/run/Run.tsx"), "RunPage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/tests",
    validateSearch: overlaying(readTestsSearch),
    component: lazyRouteComponent(() => import("./routes/tests/Tests.tsx"), "TestsPage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/tests/renamed",
    validateSearch: readRenamesSearch,
    component: lazyRouteComponent(() => import("./routes/renames/Renames.tsx"), "RenamesPage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/tests/$testId",
    validateSearch: overlaying(readTestSearch),
    component: lazyRouteComponent(() => import("./routes/test/Test.tsx"), "TestPage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/errors/$projectId/$fingerprint",
    component: lazyRouteComponent(() => import("./routes/error/Error.tsx"), "ErrorPage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/quarantine",
    validateSearch: overlaying(readQuarantineSearch),
    component: lazyRouteComponent(() => import("./routes/quarantine/Quarantine.tsx"), "QuarantinePage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/issues",
    validateSearch: overlaying(readIssuesSearch),
    component: lazyRouteComponent(() => import("./routes/issues/Issues.tsx"), "IssuesPage"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/analytics",
    validateSearch: overlaying(readAnalyticsSearch),
    component: lazyRouteComponent(() => import("./routes/analytics/Analytics.tsx"), "Analytics"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/quality-gates",
    component: lazyRouteComponent(() => import("./routes/gates/Gates.tsx"), "Gates"),
  }),
  createRoute({
    getParentRoute: () => inTeam,
    path: "/tokens",
    component: lazyRouteComponent(() => import("./routes/tokens/Tokens.tsx"), "Tokens"),
  }),
  team.addChildren(teamParts),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([login, ...outside, app.addChildren([...personal, inTeam.addChildren(teamPages)])]),
  parseSearch,
  stringifySearch,
  scrollRestoration: true,
  defaultPreload: "intent",
  defaultErrorComponent: Failure,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
