import { useQuery } from "@tanstack/react-query";
import { buttonClass } from "../../components/Button.tsx";
import { cx } from "../../lib/cx.ts";
import { methodsQuery } from "../../queries.ts";

/** The other services through which this server lets one in. */
export function Providers({ returnTo }: { returnTo: string | undefined }) {
  const providers = useQuery(methodsQuery).data?.providers ?? [];
  if (providers.length === 0) return null;
  const query = returnTo === undefined ? "" : `?${new URLSearchParams({ return_to: returnTo }).toString()}`;
  return (
    <>
      <p className="my-4 flex items-center gap-3 text-[13px] text-muted-foreground before:h-px before:flex-1 before:bg-border after:h-px after:flex-1 after:bg-border">or</p>
      <ul aria-label="Other ways" className="flex flex-col gap-2">
        {providers.map(({ id, name, start_url }) => (
          <li key={id}>
            <a href={start_url + query} className={cx(buttonClass(), "w-full")}>Continue with {name}</a>
          </li>
        ))}
      </ul>
    </>
  );
}
