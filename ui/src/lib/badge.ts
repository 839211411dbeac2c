/** Where the badge of a project's branch is; without a branch that of its default branch. */
export function badgeAddress(origin: string, projectId: string, branch: string): string {
  return `${origin}/badges/${projectId}.svg${branch === "" ? "" : `?branch=${encodeURIComponent(branch)}`}`;
}

/** What shows it in Markdown, as a link to the runs that it is about. */
export function badgeMarkdown(origin: string, project: { id: string; name: string }, branch: string): string {
  const runs = new URLSearchParams({ project: project.name, ...(branch === "" ? {} : { branch }) }).toString();
  // Brackets end a Markdown text, parentheses an address.
  const plain = (text: string) => text.replace(/[()]/g, (letter) => (letter === "(" ? "%28" : "%29"));
  const name = project.name.replace(/[[\]\\`<>]/g, " ").trim();
  return `[![Tests of ${name}](${plain(badgeAddress(origin, project.id, branch))})](${plain(`${origin}/reports?${runs}`)})`;
}
