import type { Share, Team } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Share2 } from "lucide-react";
import { useState } from "react";
import { Button, CopyButton } from "../../components/Button.tsx";
import { Modal } from "../../components/Dialog.tsx";
import { Choice } from "../../components/Field.tsx";
import { ErrorBox, messageOf } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { fieldText } from "../../lib/form.ts";
import { keys, membersQuery, queryClient, sharesQuery, useTeam } from "../../queries.ts";
import { client, useUser } from "../../session.ts";

/** Days that a link can be good for; the server takes 1 to 365. */
const LIFETIMES = [1, 7, 30, 90, 365];
const USUAL = 30;

const refresh = () => queryClient.invalidateQueries({ queryKey: keys.shares() });

/** Opens the links to a run. */
export function ShareButton({ runId }: { runId: string }) {
  const team = useTeam();
  const [open, setOpen] = useState(false);
  if (!team) return null;
  return (
    <>
      <Button small aria-haspopup="dialog" onClick={() => { setOpen(true); }}>
        <Share2 aria-hidden size={14} />
        Share
      </Button>
      <Modal
        open={open}
        title="Share this run"
        note="Anybody with a link can read this run, its tests, their errors and output, without an account. Nothing else of the team is shown."
        onClose={() => { setOpen(false); }}
      >
        <Links team={team} runId={runId} />
      </Modal>
    </>
  );
}

function Links({ team, runId }: { team: Team; runId: string }) {
  const query = useQuery(sharesQuery(runId));
  const maintains = team.role !== "readonly";
  return (
    <>
      {maintains && <NewLink runId={runId} />}
      <section aria-label="Links" className="mt-4 border-t pt-3">
        {query.isPending && <p role="status" className="text-muted-foreground">Loading…</p>}
        {query.isError && <ErrorBox title="The links could not be loaded" error={query.error} retry={() => void query.refetch()} />}
        {query.data?.length === 0 && <p className="text-muted-foreground">{maintains ? "There is no link yet." : "There is no link yet. Maintainers and owners can make one."}</p>}
        {query.data && query.data.length > 0 && (
          <ul className="flex flex-col gap-3">
            {query.data.map((share) => <Link key={share.id} team={team} share={share} />)}
          </ul>
        )}
      </section>
    </>
  );
}

function NewLink({ runId }: { runId: string }) {
  const create = useMutation({
    mutationFn: (expiresInDays: number) => client.shares.create(runId, { expiresInDays }),
    onSuccess: refresh,
  });
  return (
    <form
      aria-label="New link"
      className="mt-4"
      onSubmit={(event) => {
        event.preventDefault();
        // Not disabled meanwhile: the focus would be lost.
        if (!create.isPending) create.mutate(Number(fieldText(new FormData(event.currentTarget), "share-days")));
      }}
    >
      <div className="flex items-end gap-2">
        <Choice id="share-days" label="Expires in" defaultValue={USUAL} className="grow">
          {LIFETIMES.map((days) => <option key={days} value={days}>{days === 1 ? "1 day" : `${String(days)} days`}</option>)}
        </Choice>
        <Button type="submit" look="primary">Create Link</Button>
      </div>
      <p role="status" className="sr-only">{create.isSuccess ? "Link created" : ""}</p>
      {create.isError && <p role="alert" className="mt-2 text-failed">{messageOf(create.error)}</p>}
    </form>
  );
}

/** A link, with the ways to hand it on and to take it back; who only reads takes back their own. */
function Link({ team, share }: { team: Team; share: Share }) {
  const user = useUser();
  const { data: members } = useQuery(membersQuery(team.id));
  const revoke = useMutation({ mutationFn: () => client.shares.revoke(share.id), onSuccess: refresh });
  const by = members?.find(({ user_id }) => user_id === share.created_by)?.display_name;
  const mayRevoke = team.role !== "readonly" || share.created_by === user?.id;
  return (
    <li>
      <input
        readOnly
        aria-label="Link"
        value={share.url}
        className="field w-full font-mono text-[12.5px]"
        onFocus={(event) => { event.currentTarget.select(); }}
      />
      <div className="mt-1.5 flex flex-wrap items-center gap-2">
        <p className="min-w-0 flex-1 text-[13px] text-muted-foreground">
          Expires <Time iso={share.expires_at} />
          {by !== undefined && <span className="break-words"> · by {by}</span>}
        </p>
        <CopyButton text={share.url} label="Copy Link" />
        {mayRevoke && <Button small look="danger" disabled={revoke.isPending} onClick={() => { revoke.mutate(); }}>Revoke</Button>}
      </div>
      {revoke.isError && <p role="alert" className="mt-1 text-failed">{messageOf(revoke.error)}</p>}
    </li>
  );
}
