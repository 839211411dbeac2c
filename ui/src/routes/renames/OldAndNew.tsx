import type { RenamedTest } from "@scaledtest/sdk";
import { Link } from "@tanstack/react-router";
import { placeOf } from "../../lib/renames.ts";

/** The old name above the new one, and where each is if that is not the same place. */
export function OldAndNew({ from, to, currentId }: { from: RenamedTest; to: RenamedTest; currentId?: string }) {
  const moved = placeOf(from) !== placeOf(to);
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-0.5">
      <dt className="text-muted-foreground">Was</dt>
      <dd className="[overflow-wrap:anywhere]">
        {currentId === undefined ? <Name id={from.id} name={from.name} /> : from.name}
        {moved && <Place test={from} />}
      </dd>
      <dt className="text-muted-foreground">Now</dt>
      <dd className="font-medium [overflow-wrap:anywhere]">
        <Name id={currentId ?? to.id} name={to.name} />
        <Place test={to} />
      </dd>
    </dl>
  );
}

function Name({ id, name }: { id: string; name: string }) {
  return <Link to="/tests/$testId" params={{ testId: id }} className="underline-offset-2 hover:underline">{name}</Link>;
}

function Place({ test }: { test: RenamedTest }) {
  const place = placeOf(test);
  return place && <span className="block text-xs font-normal text-muted-foreground">{place}</span>;
}
