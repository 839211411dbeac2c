import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Replace } from "lucide-react";
import { renamesQuery } from "../../insight-queries.ts";
import { plural } from "../../lib/format.ts";

/** Where the renamed tests are, and whether some seem to have been renamed: of one project, if one is meant. */
export function RenameHint({ project }: { project: string | undefined }) {
  const count = useQuery(renamesQuery(project ?? "")).data?.proposals.length ?? 0;
  return (
    <Link
      to="/tests/renamed"
      search={project === undefined ? {} : { project }}
      className="mr-2 inline-flex items-center gap-1.5 text-[13px] text-primary underline underline-offset-2"
    >
      <Replace aria-hidden size={14} />
      {count === 0 ? "Renamed tests" : `${plural(count, "test")} ${count === 1 ? "seems" : "seem"} to have been renamed`}
    </Link>
  );
}
