/** How a pipeline uploads without a stored secret: it exchanges the token that its own platform gave it. */
export interface Snippet {
  id: "github" | "gitlab" | "custom";
  name: string;
  hint: string;
  code: string;
}

/** JSON for a shell's double quotes, so that its variables are put in. */
const body = (variable: string, teamId: string) => `{\\"token\\":\\"${variable}\\",\\"team_id\\":\\"${teamId}\\"}`;

// Without jq, which many images do not have.
const field = (name: string) => `sed -n 's/.*"${name}":"\\([^"]*\\)".*/\\1/p'`;

function exchange(origin: string, teamId: string, variable: string): string[] {
  return [
    `token=$(curl --fail-with-body -sS '${origin}/api/v1/auth/oidc-exchange' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d "${body(variable, teamId)}" | ${field("access_token")})`,
  ];
}

function upload(origin: string, query: string): string[] {
  return [
    `curl --fail-with-body -sS "${origin}/api/v1/reports${query}" \\`,
    `  -H "Authorization: Bearer $token" \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  --data-binary @ctrf-report.json`,
  ];
}

const indent = (lines: string[], by: number) => lines.map((line) => " ".repeat(by) + line);

function github(origin: string, teamId: string): string {
  // The shell reads the branch from its environment: put in by the workflow, its name could hold commands.
  const query = "?branch=${GITHUB_HEAD_REF:-$GITHUB_REF_NAME}&commit=$GITHUB_SHA&build=$GITHUB_RUN_NUMBER&run_id=$GITHUB_RUN_ID";
  return [
    "permissions:",
    "  contents: read",
    "  id-token: write",
    "",
    "steps:",
    "  # ... after the step that runs the tests:",
    "  - name: Upload test report",
    "    if: always()",
    "    run: |",
    ...indent(
      [
        `identity=$(curl --fail-with-body -sS "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=${encodeURIComponent(origin)}" \\`,
        `  -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" | ${field("value")})`,
        ...exchange(origin, teamId, "$identity"),
        `echo "::add-mask::$token"`,
        ...upload(origin, query),
      ],
      6,
    ),
  ].join("\n");
}

function gitlab(origin: string, teamId: string): string {
  const query = "?branch=$CI_COMMIT_REF_NAME&commit=$CI_COMMIT_SHA&build=$CI_PIPELINE_IID&run_id=$CI_PIPELINE_ID";
  return [
    "test:",
    "  id_tokens:",
    "    SCALEDTEST_IDENTITY:",
    `      aud: ${origin}`,
    "  # ... your script, then:",
    "  after_script:",
    "    - |",
    ...indent([...exchange(origin, teamId, "$SCALEDTEST_IDENTITY"), ...upload(origin, query)], 6),
  ].join("\n");
}

/** The steps to copy, for the server at this origin. */
export function keylessSnippets(origin: string, teamId: string): Snippet[] {
  return [
    { id: "github", name: "GitHub Actions", hint: "Add the permission and the step to the job that runs the tests.", code: github(origin, teamId) },
    { id: "gitlab", name: "GitLab CI", hint: "Add it to the job that runs the tests.", code: gitlab(origin, teamId) },
    {
      id: "custom",
      name: "Other",
      hint: `Get an OIDC token with the audience ${origin} from your platform, as $OIDC_TOKEN.`,
      code: [...exchange(origin, teamId, "$OIDC_TOKEN"), ...upload(origin, "")].join("\n"),
    },
  ];
}

/** What the fields of a trusted publisher are called, by the platform. */
export function repositoryWords(provider: string | undefined): { label: string; example: string } {
  if (provider === "github") return { label: "Repository", example: "owner/repository" };
  if (provider === "gitlab") return { label: "Project path", example: "group/project" };
  return { label: "Repository", example: "owner/repository" };
}
