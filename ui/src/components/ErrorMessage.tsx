import { Link } from "@tanstack/react-router";
import { stripAnsi } from "../lib/ansi.ts";
import { plural } from "../lib/format.ts";

interface Props {
  projectId: string;
  error: { fingerprint: string; message: string; variants: number };
}

/** What an error says, which leads to its page; below, of how many variants it consists. */
export function ErrorMessage({ projectId, error: { fingerprint, message, variants } }: Props) {
  const text = stripAnsi(message);
  return (
    <div className="min-w-0">
      <Link
        to="/errors/$projectId/$fingerprint"
        params={{ projectId, fingerprint }}
        title={text}
        className="line-clamp-3 font-mono text-[12.5px] break-words whitespace-pre-line underline-offset-2 hover:underline"
      >
        {text || "No message"}
      </Link>
      {variants > 1 && <p className="mt-0.5 text-xs text-muted-foreground">{plural(variants, "variant")}</p>}
    </div>
  );
}
