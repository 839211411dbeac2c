import type { Owned, ProjectOwners } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Button, CopyButton } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Choice } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, Skeleton } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { ownersQuery } from "../../insight-queries.ts";
import { fieldText } from "../../lib/form.ts";
import { formatCount, plural } from "../../lib/format.ts";
import { keys, projectsQuery, queryClient, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";

/** Who owns the tests of a project. */
export function Owners() {
  useTitle("Test owners");
  const team = useTeam();
  const { project: chosen } = useSearch({ from: "/app/in-team/team/owners" });
  const navigate = useNavigate({ from: "/team/owners" });
  const projects = useQuery(projectsQuery());
  const project = projects.data?.find(({ name }) => name === chosen)?.name ?? projects.data?.[0]?.name ?? "";
  const query = useQuery(ownersQuery(project));
  if (!team) return null;
  if (projects.isError) return <ErrorBox error={projects.error} retry={() => void projects.refetch()} />;
  if (projects.data?.length === 0) return <Empty title="No projects yet">The first report of a project makes it; then its tests can have owners.</Empty>;
  return (
    <>
      <Section
        bare
        title="Test owners"
        note="Whom a report names (a label or field “owner”, a tag “owner:…”), else whom the project’s CODEOWNERS file names for the file of a test. Counts are those of the default branch."
        aside={
          (projects.data?.length ?? 0) > 1 && (
            <Choice id="owners-project" label="Project" className="w-48" value={project} onChange={(event) => { void navigate({ search: { project: event.target.value }, replace: true }); }}>
              {projects.data?.map(({ id, name }) => <option key={id}>{name}</option>)}
            </Choice>
          )
        }
      >
        {query.isPending && <Skeleton rows={3} />}
        {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
        {query.data && <List project={project} owners={query.data.owners} />}
      </Section>
      {query.data && <File key={project} project={project} owners={query.data} editable={team.role !== "readonly"} />}
    </>
  );
}

function List({ project, owners }: { project: string; owners: Owned[] }) {
  const count = (value: number, look: string) => <span className={value > 0 ? look : "text-muted-foreground"}>{formatCount(value)}</span>;
  const columns: Column<Owned>[] = [
    {
      header: "Owner",
      cell: ({ owner }) => (
        <Link to="/tests" search={{ project, owner: owner ?? "none" }} className={owner ? "font-medium break-all underline-offset-2 hover:underline" : "text-muted-foreground underline-offset-2 hover:underline"}>
          {owner ?? "Nobody"}
        </Link>
      ),
    },
    { header: "Tests", cell: ({ tests }) => formatCount(tests) },
    { header: "Failing", cell: ({ failing }) => count(failing, "font-medium text-failed") },
    { header: "Broken", cell: ({ broken }) => count(broken, "font-medium text-failed") },
    { header: "Flaky", cell: ({ flaky }) => count(flaky, "font-medium text-flaky") },
  ];
  return <DataTable label="Owners" columns={columns} rows={owners} rowKey={({ owner }) => owner ?? ""} />;
}

function File({ project, owners, editable }: { project: string; owners: ProjectOwners; editable: boolean }) {
  const save = useMutation({
    mutationFn: (codeowners: string) => client.insight.putProjectOwners(project, codeowners),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.insight() }),
  });
  const command = `curl -T CODEOWNERS -H "Authorization: Bearer $SCALEDTEST_TOKEN" \\\n  ${window.location.origin}/api/v1/projects/${encodeURIComponent(project)}/owners`;
  return (
    <Section title="CODEOWNERS" note="As GitHub and GitLab read it. A pipeline keeps it up to date with the command below.">
      {owners.faults.length > 0 && (
        <div role="alert" className="mb-3 rounded-md border border-failed/40 px-3 py-2">
          <p className="font-medium">{plural(owners.faults.length, "line")} could not be read; the rest counts.</p>
          <ul className="mt-1 list-disc pl-5 text-[13px]">
            {owners.faults.slice(0, 20).map(({ line, message }) => <li key={`${String(line)} ${message}`}>Line {line}: {message}</li>)}
          </ul>
        </div>
      )}
      <form
        aria-label="CODEOWNERS"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate(fieldText(new FormData(event.currentTarget), "codeowners"));
        }}
      >
        <textarea
          key={owners.codeowners ?? ""}
          name="codeowners"
          aria-label="CODEOWNERS file"
          defaultValue={owners.codeowners ?? ""}
          readOnly={!editable}
          rows={10}
          spellCheck={false}
          placeholder={"# the last rule that matches decides\n*                 @acme/quality\n/tests/checkout/  @acme/payments"}
          className="field h-auto w-full py-2 font-mono text-[12.5px] leading-[1.6]"
        />
        <div className="mt-3 flex flex-wrap items-center gap-3">
          {editable ? <Button type="submit" look="primary" disabled={save.isPending}>Save Owners</Button> : <p className="text-muted-foreground">Only maintainers and owners can change it.</p>}
          <Outcome of={save} done={save.data && `${plural(save.data.rules, "rule")} saved`} />
        </div>
      </form>
      <div className="mt-4 flex items-start gap-2">
        <pre
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrollable region must be reachable by keyboard
          tabIndex={0}
          role="region"
          aria-label="Command to upload the file"
          className="min-w-0 flex-1 overflow-x-auto rounded-md border bg-code px-3 py-2.5 font-mono text-[12.5px] leading-[1.6]"
        >
          {command}
        </pre>
        <CopyButton text={command} label="Copy" />
      </div>
    </Section>
  );
}
