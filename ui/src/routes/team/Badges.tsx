import type { Project, Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { CopyButton } from "../../components/Button.tsx";
import { Choice } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { useSaved } from "../../hooks.ts";
import { badgeAddress, badgeMarkdown } from "../../lib/badge.ts";
import { keys, projectsQuery, queryClient, teamQuery } from "../../queries.ts";
import { client } from "../../session.ts";

/** Who sees the team's badges, and what to write where one shall be seen. */
export function Badges({ team }: { team: Team }) {
  const detail = useQuery(teamQuery(team.id));
  const projects = useQuery(projectsQuery()).data ?? [];
  const show = useMutation({
    mutationFn: (isPublic: boolean) => client.showBadges(team.id, isPublic),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.team() }),
  });
  const isPublic = detail.data?.badges_public ?? false;
  const [shown, change] = useSaved(isPublic, show);
  return (
    <Section title="Badges" note="A picture of how the newest run of a branch ended, for a README. Only the counts are in it.">
      {team.role === "readonly" ? (
        <p>{isPublic ? "Anybody who knows their address sees the badges." : "Nobody sees the badges; a maintainer or an owner can make them public."}</p>
      ) : (
        <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
          <label className="inline-flex items-center gap-2">
            <input
              type="checkbox"
              className="size-4 shrink-0 accent-primary"
              checked={shown}
              disabled={show.isPending || !detail.data}
              onChange={({ target }) => { change(target.checked); }}
            />
            Anybody who knows their address may see the badges
          </label>
          <Outcome of={show} done="Saved" />
        </div>
      )}
      {isPublic && projects.length > 0 && <Snippet projects={projects} />}
      {isPublic && projects.length === 0 && <p className="mt-3 text-muted-foreground">There is a badge for every project: the first report makes one.</p>}
    </Section>
  );
}

function Snippet({ projects }: { projects: Project[] }) {
  const [projectId, setProject] = useState("");
  const [branch, setBranch] = useState("");
  const project = projects.find(({ id }) => id === projectId) ?? projects[0];
  if (!project) return null;
  const address = badgeAddress(location.origin, project.id, branch);
  const markdown = badgeMarkdown(location.origin, project, branch);
  return (
    <div className="mt-4 flex flex-col gap-3">
      <div className="flex flex-wrap gap-3">
        <Choice id="badge-project" label="Project" className="min-w-40 grow sm:max-w-64" value={project.id} onChange={(event) => { setProject(event.target.value); setBranch(""); }}>
          {projects.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}
        </Choice>
        <Choice id="badge-branch" label="Branch" className="min-w-40 grow sm:max-w-64" value={branch} onChange={(event) => { setBranch(event.target.value); }}>
          <option value="">Default branch ({project.default_branch})</option>
          {project.branches.filter((name) => name !== project.default_branch).map((name) => <option key={name} value={name}>{name}</option>)}
        </Choice>
      </div>
      <p><img key={address} src={address} height={20} alt={`Badge of ${project.name}`} className="h-5" /></p>
      <div className="flex flex-wrap items-center gap-2">
        <code aria-label="Markdown" className="min-w-0 rounded-md border bg-code px-2.5 py-1.5 font-mono text-[12.5px] break-all">{markdown}</code>
        <CopyButton text={markdown} label="Copy Markdown" />
      </div>
    </div>
  );
}
