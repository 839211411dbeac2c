import type { TestDetail, TestSeries } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { Choice } from "../../components/Field.tsx";
import { formatCount } from "../../lib/format.ts";
import { variantLabel } from "../../lib/insight.ts";
import type { TestSearch } from "../../lib/insight-search.ts";

interface Props {
  test: TestDetail;
  series: TestSeries | undefined;
  onChange: (search: TestSearch) => void;
}

/** What the test is called, where it lives, and the choice of its branch and variant. */
export function TestHeader({ test, series, onChange }: Props) {
  const branches = [...new Set(test.series.map(({ branch }) => branch))];
  const variants = test.series.filter(({ branch }) => branch === series?.branch);
  return (
    <>
      <nav aria-label="Breadcrumb" className="mb-1 text-[13px] text-muted-foreground">
        <Link to="/tests" search={{ project: test.project.name }} className="underline-offset-2 hover:underline">{test.project.name}</Link>
        {test.suite.length > 0 && <span> › {test.suite.join(" › ")}</span>}
      </nav>
      <div className="mb-4 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
        <div className="min-w-0 flex-1 basis-80">
          <h1 className="text-xl font-semibold tracking-tight text-balance [overflow-wrap:anywhere]">{test.name}</h1>
          <div className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-muted-foreground">
            {test.file_path && <span className="font-mono text-xs [overflow-wrap:anywhere]">{test.file_path}</span>}
            {test.tags.map((tag) => (
              <Link key={tag} to="/tests" search={{ project: test.project.name, tag }} title="Tests with this tag" className="rounded bg-muted px-1.5 py-px text-xs text-foreground hover:bg-accent">{tag}</Link>
            ))}
          </div>
        </div>
        <div className="flex flex-wrap gap-3 max-sm:w-full">
          {branches.length > 0 && (
            <Choice id="branch" label="Branch" className="w-44 max-sm:flex-1" value={series?.branch} onChange={(event) => { onChange({ branch: event.target.value, variant: series?.variant_id }); }}>
              {branches.map((branch) => <option key={branch}>{branch}</option>)}
            </Choice>
          )}
          {variants.length > 1 && (
            <Choice id="variant" label="Variant" className="w-44 max-sm:flex-1" value={series?.variant_id} onChange={(event) => { onChange({ branch: series?.branch, variant: event.target.value }); }}>
              {variants.map(({ variant, variant_id }, index) => (
                <option key={variant_id} value={variant_id}>{variantLabel(variant) || `Variant ${formatCount(index + 1)}`}</option>
              ))}
            </Choice>
          )}
        </div>
      </div>
    </>
  );
}
