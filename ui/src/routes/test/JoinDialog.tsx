import type { TestDetail } from "@scaledtest/sdk";
import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../components/Button.tsx";
import { Modal } from "../../components/Dialog.tsx";
import { messageOf } from "../../components/States.tsx";
import { useDebouncedText } from "../../hooks.ts";
import { refreshTests, testsQuery } from "../../insight-queries.ts";
import { plural } from "../../lib/format.ts";
import { client } from "../../session.ts";

/** Tests that are offered, at most. */
const OFFERED = 8;

interface Props {
  test: TestDetail;
  open: boolean;
  onClose: () => void;
}

/** Asks for another test of the project, which is an earlier name of this one. */
export function JoinDialog({ test, open, onClose }: Props) {
  return (
    <Modal
      open={open}
      title={`What was “${test.name}” called before?`}
      note="The test that you choose becomes a part of this one: they have one history. It can be undone."
      onClose={onClose}
    >
      {open && <Form test={test} onClose={onClose} />}
    </Modal>
  );
}

function Form({ test, onClose }: Omit<Props, "open">) {
  const [wanted, setWanted] = useState("");
  const [text, setText] = useDebouncedText(wanted, setWanted);
  const [chosen, setChosen] = useState<string>();
  const query = useInfiniteQuery({
    ...testsQuery({ project: test.project.id, branch: "*", text: wanted, sort: "name" }),
    enabled: wanted.trim() !== "",
  });
  const rows = wanted.trim() === "" ? [] : (query.data?.pages[0]?.tests ?? []);
  // A test has a row for each branch and variant.
  const found = [...new Map(rows.filter(({ id }) => id !== test.id).map((row) => [row.id, row])).values()].slice(0, OFFERED);
  const join = useMutation({
    mutationFn: async (from: string) => {
      await client.insight.renameTest(test.project.id, from, test.id);
      await refreshTests();
    },
    onSuccess: onClose,
  });
  const selected = found.find(({ id }) => id === chosen);
  return (
    <form
      aria-label="Join tests"
      className="mt-4 flex flex-col gap-3.5"
      onSubmit={(event) => {
        event.preventDefault();
        if (selected && !join.isPending) join.mutate(selected.id);
      }}
    >
      <div className="flex flex-col gap-1.5">
        <label htmlFor="earlier-name" className="font-medium">Earlier name</label>
        <input id="earlier-name" type="search" className="field w-full" autoComplete="off" placeholder="A part of its name, suite or file" value={text} onChange={(event) => { setText(event.target.value); }} />
      </div>
      <p role="status" className="sr-only">{wanted.trim() !== "" && query.isSuccess ? `${plural(found.length, "test")} found` : ""}</p>
      {found.length > 0 && (
        <fieldset className="min-w-0 divide-y rounded-md border">
          <legend className="sr-only">Tests</legend>
          {found.map(({ id, name, suite, file_path: file }) => (
            <div key={id} className="flex items-start gap-2.5 px-3 py-2 hover:bg-muted">
              <input type="radio" id={`earlier-${id}`} name="earlier" className="mt-1" checked={id === chosen} onChange={() => { setChosen(id); }} />
              <label htmlFor={`earlier-${id}`} className="min-w-0 flex-1 cursor-pointer">
                <span className="block font-medium [overflow-wrap:anywhere]">{name}</span>
                <span className="block truncate text-xs text-muted-foreground">{[suite.join(" › "), file].filter(Boolean).join(" · ")}</span>
              </label>
            </div>
          ))}
        </fieldset>
      )}
      {wanted.trim() !== "" && query.isSuccess && found.length === 0 && <p className="text-muted-foreground">No other test of the project matches.</p>}
      {join.isError && <p role="alert" className="text-failed">{messageOf(join.error)}</p>}
      <div className="mt-1 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" disabled={!selected || join.isPending}>Join</Button>
      </div>
    </form>
  );
}
