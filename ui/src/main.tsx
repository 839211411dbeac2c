import "./app.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { say } from "./flash.ts";
import { queryClient } from "./queries.ts";
import { router } from "./router.tsx";
import { client } from "./session.ts";
import { followSystemTheme } from "./theme.ts";

followSystemTheme();

client.onSession((session) => {
  if (session) return;
  client.teamId = undefined;
  say(undefined);
  // First away from the pages, which would fetch again what is thrown away; nothing of one person may be seen by the next.
  void router.invalidate().finally(() => { queryClient.clear(); });
});

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no #root");
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
