import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, Replace } from "lucide-react";
import { renamesQuery } from "../../insight-queries.ts";
import { plural } from "../../lib/format.ts";

/** Where the renamed tests are, and whether somebody has to say whether some are. */
export function RenameHint({ project }: { project: string | undefined }) {
  const found = useQuery(renamesQuery(project ?? "")).data;
  const count = found?.proposals.length ?? 0;
  if (project === undefined || (count === 0 && (found?.renames.length ?? 0) === 0)) return null;
  const words = count === 0 ? "Renamed tests" : `${plural(count, "test")} ${count === 1 ? "seems" : "seem"} to have been renamed`;
  return (
    <p className="mb-3 flex flex-wrap items-center gap-x-2 text-[13px]">
      <Replace aria-hidden size={14} className="text-muted-foreground" />
      <Link to="/tests/renamed" search={{ project }} className="inline-flex items-center gap-1 text-primary underline underline-offset-2">
        {words}
        <ArrowRight aria-hidden size={13} />
      </Link>
    </p>
  );
}
