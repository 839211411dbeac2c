import type { InstanceSetting } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, Skeleton } from "../../components/States.tsx";
import { cx } from "../../lib/cx.ts";
import { settingsQuery } from "../../queries.ts";

/** In the order in which the server names them. */
function byGroup(settings: InstanceSetting[]): [string, InstanceSetting[]][] {
  const groups = new Map<string, InstanceSetting[]>();
  for (const setting of settings) groups.set(setting.group, [...(groups.get(setting.group) ?? []), setting]);
  return [...groups];
}

export function Settings() {
  const query = useQuery(settingsQuery);
  return (
    <Section bare id="settings" title="Settings" note="As the server was started with; they are changed through its environment. Secrets are not shown.">
      {query.isPending && <Skeleton rows={4} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && (
        <div className="panel divide-y">
          {byGroup(query.data).map(([group, settings]) => (
            <div key={group} className="px-4 py-3">
              <h3 className="mb-2 font-medium">{group}</h3>
              <dl className="grid gap-x-6 gap-y-2.5 md:grid-cols-[minmax(0,18rem)_minmax(0,1fr)]">
                {settings.map(({ name, value, help }) => (
                  <div key={name} className="contents">
                    <dt className="min-w-0 font-mono text-[12.5px] break-all">{name}</dt>
                    <dd className="min-w-0 max-md:-mt-2 max-md:mb-1">
                      <p className={cx("font-mono text-[12.5px] break-all", (value === "not set" || value === "") && "text-muted-foreground")}>{value === "" ? "empty" : value}</p>
                      <p className="text-[13px] text-muted-foreground">{help}</p>
                    </dd>
                  </div>
                ))}
              </dl>
            </div>
          ))}
        </div>
      )}
    </Section>
  );
}
