import type { Renames } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Choice } from "../../components/Field.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, PageHeader, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { renamesQuery } from "../../insight-queries.ts";
import { projectsQuery, useTeam } from "../../queries.ts";
import { Joined } from "./Joined.tsx";
import { Proposals } from "./Proposals.tsx";

/** The tests of a project that were renamed, or seem to have been. */
export function RenamesPage() {
  useTitle("Renamed tests");
  const { project: wanted } = useSearch({ from: "/app/in-team/tests/renamed" });
  const navigate = useNavigate({ from: "/tests/renamed" });
  const projects = useQuery(projectsQuery());
  const project = projects.data?.find(({ name, id }) => name === wanted || id === wanted)?.name ?? projects.data?.[0]?.name ?? "";
  const query = useQuery(renamesQuery(project));
  return (
    <>
      <nav aria-label="Breadcrumb" className="mb-1 text-[13px] text-muted-foreground">
        <Link to="/tests" search={project ? { project } : {}} className="underline-offset-2 hover:underline">Tests</Link>
      </nav>
      <PageHeader title="Renamed tests" note="A test under a new name goes on with the history that it had under the old one.">
        {(projects.data?.length ?? 0) > 1 && (
          <Choice id="renames-project" label="Project" className="w-48" value={project} onChange={(event) => { void navigate({ search: { project: event.target.value }, replace: true }); }}>
            {projects.data?.map(({ id, name }) => <option key={id}>{name}</option>)}
          </Choice>
        )}
      </PageHeader>
      {projects.isError && <ErrorBox error={projects.error} retry={() => void projects.refetch()} />}
      {projects.data?.length === 0 && <Empty title="No projects yet">The first report of a project makes it.</Empty>}
      {project !== "" && query.isPending && <Skeleton rows={4} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && <Lists key={project} renames={query.data} />}
    </>
  );
}

function Lists({ renames }: { renames: Renames }) {
  const may = useTeam()?.role !== "readonly";
  const [told, setTold] = useState("");
  const tell = (text: string) => {
    setTold(text);
    // The button that was pressed is gone with its row.
    document.getElementById("main")?.focus({ preventScroll: true });
  };
  const branch = renames.branch == null ? "" : ` on ${renames.branch}`;
  return (
    <>
      <p role="status" className="sr-only">{told}</p>
      <Section
        bare
        title="Proposed"
        note={`In the newest commits${branch}, one test vanished when a similar one appeared. Nothing is joined before somebody accepts it.`}
      >
        <Proposals project={renames.project.name} proposals={renames.proposals} may={may} onDone={tell} />
      </Section>
      {renames.renames.length > 0 && (
        <Section bare title="Joined" note="What is reported under the old name, on whatever branch, is added to the new one.">
          <Joined project={renames.project.name} renames={renames.renames} may={may} onDone={tell} />
        </Section>
      )}
    </>
  );
}
