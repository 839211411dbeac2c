import * as Tabs from "@radix-ui/react-tabs";
import { CopyButton } from "./Button.tsx";

const PLACEHOLDER = "$SCALEDTEST_TOKEN";

function curl(origin: string, token: string): string {
  // Double quotes let a shell put the variable in; a real token needs no expansion.
  return [
    `curl --fail-with-body -X POST '${origin}/api/v1/reports' \\`,
    `  -H "Authorization: Bearer ${token}" \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  --data-binary @ctrf-report.json`,
  ].join("\n");
}

function snippets(origin: string, token: string): { id: string; name: string; code: string; hint: string }[] {
  const inCi = (variables: string, indent: string) =>
    curl(origin, PLACEHOLDER)
      .replace("/api/v1/reports'", `/api/v1/reports?${variables}"`)
      .replace("POST '", 'POST "')
      .split("\n")
      .map((line) => indent + line)
      .join("\n");
  // The shell reads the branch from its environment: put in by the workflow, its name could hold commands.
  const github = "branch=${GITHUB_HEAD_REF:-$GITHUB_REF_NAME}&commit=$GITHUB_SHA&build=$GITHUB_RUN_NUMBER&run_id=$GITHUB_RUN_ID";
  const gitlab = "branch=$CI_COMMIT_REF_NAME&commit=$CI_COMMIT_SHA&build=$CI_PIPELINE_IID&run_id=$CI_PIPELINE_ID";
  return [
    {
      id: "curl",
      name: "curl",
      code: curl(origin, token),
      hint: "Run it in the folder that holds the CTRF report of your test run.",
    },
    {
      id: "github",
      name: "GitHub Actions",
      code: [
        "- name: Upload test report",
        "  if: always()",
        "  env:",
        "    SCALEDTEST_TOKEN: ${{ secrets.SCALEDTEST_TOKEN }}",
        "  run: |",
        inCi(github, "    "),
      ].join("\n"),
      hint: "Add it after the test step, and the token as a repository secret.",
    },
    {
      id: "gitlab",
      name: "GitLab CI",
      code: ["after_script:", "  - |", inCi(gitlab, "    ")].join("\n"),
      hint: "Add it to the test job, and the token as a masked CI/CD variable.",
    },
  ];
}

/** How to upload a report, with the token if its secret is at hand. */
export function UploadCommand({ token = PLACEHOLDER }: { token?: string }) {
  const all = snippets(window.location.origin, token);
  return (
    <Tabs.Root defaultValue="curl" className="min-w-0">
      <Tabs.List aria-label="Way to upload" className="flex gap-1 overflow-x-auto border-b">
        {all.map(({ id, name }) => (
          <Tabs.Trigger
            key={id}
            value={id}
            className="-mb-px border-b-2 border-transparent px-3 py-1.5 font-medium whitespace-nowrap text-muted-foreground data-[state=active]:border-primary data-[state=active]:text-foreground"
          >
            {name}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {all.map(({ id, name, code, hint }) => (
        <Tabs.Content key={id} value={id} className="pt-3">
          <div className="mb-2 flex items-center justify-between gap-3">
            <p className="text-muted-foreground">{hint}</p>
            <CopyButton text={code} label="Copy command" />
          </div>
          <pre
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrollable region must be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={`${name} command`}
            className="overflow-x-auto rounded-md border bg-code px-3 py-2.5 font-mono text-[12.5px] leading-[1.6]"
          >
            {code}
          </pre>
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}
