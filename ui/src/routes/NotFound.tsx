import { Link } from "@tanstack/react-router";
import { buttonClass } from "../components/Button.tsx";
import { useTitle } from "../hooks.ts";

export function NotFound({ what = "This page" }: { what?: string }) {
  useTitle("Not found");
  return (
    <div className="mx-auto flex max-w-md flex-col items-center gap-3 px-4 py-20 text-center">
      <p className="text-4xl font-semibold text-muted-foreground">404</p>
      <h1 className="text-xl font-semibold">{what} was not found</h1>
      <p className="text-muted-foreground">It may have been deleted, or it belongs to another team.</p>
      <Link to="/" className={buttonClass()}>Go to the start page</Link>
    </div>
  );
}
