import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { identitiesQuery, methodsQuery, queryClient } from "../../queries.ts";
import { client } from "../../session.ts";
import { Identities } from "./Identities.tsx";

afterEach(() => {
  cleanup();
  queryClient.clear();
  vi.restoreAllMocks();
});

function show(error?: string) {
  const linked = [1, 2].map((n) => ({ id: `i${String(n)}`, provider: "github", name: `octo${String(n)}`, linked_at: "2026-01-15T12:00:00Z" }));
  vi.spyOn(client, "identities").mockResolvedValue(linked);
  queryClient.setQueryData(identitiesQuery.queryKey, linked);
  const providers = [{ id: "github", name: "GitHub", start_url: "/auth/github" }];
  const methods = { registration: "open" as const, password: true, mail: false, providers };
  vi.spyOn(client, "signInMethods").mockResolvedValue(methods);
  queryClient.setQueryData(methodsQuery.queryKey, methods);
  render(<QueryClientProvider client={queryClient}><Identities error={error} /></QueryClientProvider>);
}

it("unlinks the one of two at the same service that was meant", async () => {
  const unlink = vi.spyOn(client, "unlinkIdentity").mockResolvedValue();
  show();
  expect(screen.getAllByRole("listitem")).toHaveLength(2);
  fireEvent.click(screen.getByRole("button", { name: "Unlink GitHub octo2" }));
  await waitFor(() => { expect(screen.getByRole("status").textContent).toBe("GitHub is unlinked"); });
  expect(unlink).toHaveBeenCalledExactlyOnceWith("i2");
});

it("says why nothing was unlinked", async () => {
  vi.spyOn(client, "unlinkIdentity").mockRejectedValue(new Error("this is the only way in"));
  show("oauth_denied");
  fireEvent.click(screen.getByRole("button", { name: "Unlink GitHub octo1" }));
  await waitFor(() => { expect(screen.getByRole("alert").textContent).toBe("This is the only way in"); });
});

it("links another one by leaving for its service, and says how that ended", () => {
  show("oauth_account_exists");
  expect(screen.getByRole("link", { name: "Link GitHub" }).getAttribute("href")).toBe("/auth/github?link=1&return_to=%2Fprofile");
  expect(screen.getByRole("alert").textContent).toBe("That account is linked to somebody else here already.");
});
