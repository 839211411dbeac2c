import { ApiError } from "@scaledtest/sdk";
import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { queryClient } from "../../queries.ts";
import { client } from "../../session.ts";
import { VerifyEmail } from "./VerifyEmail.tsx";

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function show() {
  vi.stubGlobal("scrollTo", () => undefined);
  const root = createRootRoute();
  const page = createRoute({ getParentRoute: () => root, path: "/verify-email/$token", component: VerifyEmail });
  const login = createRoute({ getParentRoute: () => root, path: "/login" });
  const history = createMemoryHistory({ initialEntries: ["/verify-email/abc"] });
  const router = createRouter({ routeTree: root.addChildren([page, login]), history });
  render(<QueryClientProvider client={queryClient}><RouterProvider router={router as never} /></QueryClientProvider>);
}

it("verifies when it is told to, not when it is opened", async () => {
  const verify = vi.spyOn(client, "verifyEmail").mockResolvedValue();
  show();
  const button = await screen.findByRole("button", { name: "Verify Address" });
  expect(verify).not.toHaveBeenCalled();
  fireEvent.click(button);
  await screen.findByRole("heading", { name: "E-mail address verified" });
  expect(verify).toHaveBeenCalledExactlyOnceWith("abc");
});

it("tells an old link from a failure that may pass", async () => {
  vi.spyOn(client, "verifyEmail")
    .mockRejectedValueOnce(new ApiError(0, "The server cannot be reached", "network"))
    .mockRejectedValueOnce(new ApiError(410, "used", "verification_expired"));
  show();
  fireEvent.click(await screen.findByRole("button", { name: "Verify Address" }));
  fireEvent.click(await screen.findByRole("button", { name: "Try again" }));
  await screen.findByRole("heading", { name: "This link is no longer good" });
});
