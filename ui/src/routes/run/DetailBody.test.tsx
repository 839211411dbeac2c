import type { TestResultDetail } from "@scaledtest/sdk";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { DetailBody, traceCovers } from "./DetailBody.tsx";

afterEach(cleanup);

const result: TestResultDetail = {
  id: "1", report_id: "r", test_id: "t", name: "pays", suite: [], status: "failed", duration_ms: 12, retries: 1, flaky: false, tags: [],
  attempts: [], steps: [], attachments: [],
};

it("does not show a message twice when the trace begins with it", () => {
  expect(traceCovers("\u001b[31mError: no\u001b[39m", "Error: no\n  at x.js:1")).toBe(true);
  expect(traceCovers("Error: no", "  at x.js:1")).toBe(false);
  render(<DetailBody result={{ ...result, message: "Error: no", trace: "Error: no\n  at x.js:1" }} />);
  expect(screen.queryByText("Message")).toBeNull();
  expect(screen.getByRole("heading", { name: "Trace" })).toBeTruthy();
});

it("opens the final execution of a retried test and lets the others be read", () => {
  const attempts = [{ attempt: 1, status: "failed" as const, message: "first failure", attachments: [] }];
  render(<DetailBody result={{ ...result, attempts, message: "second failure" }} />);
  expect(screen.getByText("second failure")).toBeTruthy();
  expect(screen.queryByText("first failure")).toBeNull();
  fireEvent.mouseDown(screen.getByRole("tab", { name: /Attempt 1/ }), { button: 0 });
  expect(screen.getByText("first failure")).toBeTruthy();
});

it("names an attachment without linking to a path of another machine", () => {
  const attachments = [
    { name: "screenshot", content_type: "image/png", path: "/home/ci/shot.png" },
    { name: "video", content_type: "video/webm", path: "https://ci.test/video.webm" },
    { name: "odd", content_type: "text/html", path: "javascript:alert(1)" },
  ];
  render(<DetailBody result={{ ...result, attachments }} />);
  expect(screen.getAllByRole("link").map((link) => link.getAttribute("href"))).toEqual(["https://ci.test/video.webm"]);
});

it("says so when the report has nothing to tell", () => {
  render(<DetailBody result={result} />);
  expect(screen.getByText(/says nothing more/)).toBeTruthy();
});
