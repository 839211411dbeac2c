import type { CreatedInvitation, Invitation, Team, TeamRole } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Badge, type Tone } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Choice, Field } from "../../components/Field.tsx";
import { Secret } from "../../components/Secret.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, messageOf, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { invitableRoles, roleLabel } from "../../lib/team.ts";
import { invitationsQuery, keys, membersQuery, queryClient, useTeam } from "../../queries.ts";
import { client } from "../../session.ts";
import { RoleLegend } from "./RoleLegend.tsx";

const refresh = () => queryClient.invalidateQueries({ queryKey: keys.invitations() });

export function Invitations() {
  useTitle("Invitations");
  const team = useTeam();
  const [created, setCreated] = useState<CreatedInvitation>();
  if (!team) return null;
  const may = team.role !== "readonly";
  return (
    <>
      {may && <InviteForm team={team} onCreated={setCreated} />}
      {created && <Created created={created} onDone={() => { setCreated(undefined); }} />}
      <Section bare title="Invitations" note={may ? "A link is good for 7 days and for one person." : "Maintainers and owners can invite people."}>
        <List team={team} may={may} onResent={setCreated} onRevoked={(id) => { if (created?.invitation.id === id) setCreated(undefined); }} />
      </Section>
    </>
  );
}

function InviteForm({ team, onCreated }: { team: Team; onCreated: (created: CreatedInvitation) => void }) {
  const invite = useMutation({
    mutationFn: ({ email, role }: { email: string; role: TeamRole }) => client.createInvitation(team.id, email, role),
    onSuccess: (created) => {
      onCreated(created);
      return refresh();
    },
  });
  const roles = invitableRoles(team.role);
  return (
    <Section title="Invite somebody">
      <form
        aria-label="Invite somebody"
        className="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          const values = new FormData(form);
          const role = roles.find((known) => known.role === fieldText(values, "role"))?.role;
          const email = fieldText(values, "email").trim();
          if (role && email !== "") invite.mutate({ email, role }, { onSuccess: () => { form.reset(); } });
        }}
      >
        <Field id="invite-email" name="email" label="Email" type="email" required maxLength={254} autoComplete="off" placeholder="name@example.com" className="min-w-56 grow sm:max-w-96" />
        <Choice id="invite-role" name="role" label="Role" defaultValue="maintainer">
          {roles.map(({ role, label }) => <option key={role} value={role}>{label}</option>)}
        </Choice>
        <Button type="submit" look="primary" disabled={invite.isPending}>Send Invitation</Button>
        {invite.isError && <p role="alert" className="w-full text-failed">{messageOf(invite.error)}</p>}
      </form>
      <RoleLegend roles={roles} />
    </Section>
  );
}

/** The only time that the link is shown. */
function Created({ created: { invitation, url }, onDone }: { created: CreatedInvitation; onDone: () => void }) {
  const note = invitation.mail === "off" || invitation.mail === "failed"
    ? "No mail goes out: pass this link on yourself. It is not shown again."
    : "A mail with this link is on its way. You can pass it on yourself, too; it is not shown again.";
  return <Secret title={`Invitation for ${invitation.email}`} note={note} label="Invitation link" text={url} copy="Copy link" onDone={onDone} />;
}

const STATES: Record<Invitation["state"], { label: string; tone: Tone }> = {
  pending: { label: "Pending", tone: "accent" },
  accepted: { label: "Accepted", tone: "good" },
  expired: { label: "Expired", tone: "warn" },
};

const MAIL: Record<Invitation["mail"], string> = {
  sent: "Mail sent",
  queued: "Mail is being sent",
  failed: "Mail could not be delivered",
  off: "Sent by hand",
};

function List({ team, may, onResent, onRevoked }: { team: Team; may: boolean; onResent: (created: CreatedInvitation) => void; onRevoked: (id: string) => void }) {
  const query = useQuery(invitationsQuery(team.id));
  const members = useQuery(membersQuery(team.id)).data ?? [];
  const [revoking, setRevoking] = useState<Invitation>();
  const resend = useMutation({
    mutationFn: (invitation: Invitation) => client.resendInvitation(team.id, invitation.id),
    onSuccess: (created) => {
      onResent(created);
      return refresh();
    },
  });
  const revoke = useMutation({
    mutationFn: (invitation: Invitation) => client.revokeInvitation(team.id, invitation.id),
    onSuccess: async (_answer, { id }) => {
      await refresh();
      onRevoked(id);
      setRevoking(undefined);
    },
  });
  if (query.isPending) return <Skeleton rows={3} />;
  if (query.isError) return <ErrorBox error={query.error} retry={() => void query.refetch()} />;
  if (query.data.length === 0) return <Empty title="No invitations yet">Who accepts one becomes a member of {team.name}.</Empty>;

  const nameOf = (id: string | null | undefined) => members.find(({ user_id }) => user_id === id)?.display_name;
  const columns: Column<Invitation>[] = [
    { header: "Email", className: "max-w-80", cell: ({ email, invited_by }) => <Guest email={email} by={nameOf(invited_by)} /> },
    { header: "Role", cell: ({ role }) => roleLabel(role) },
    { header: "State", cell: (invitation) => <State invitation={invitation} /> },
    {
      header: "Actions",
      actions: true,
      // Only an owner gives that role, so only an owner sends it again.
      cell: (invitation) => may && invitation.state !== "accepted" && (
        <div className="flex justify-end gap-2">
          {(team.role === "owner" || invitation.role !== "owner") && (
            <Button small aria-label={`Resend to ${invitation.email}`} disabled={resend.isPending} onClick={() => { resend.mutate(invitation); }}>Resend</Button>
          )}
          <Button small look="danger" aria-label={`Revoke for ${invitation.email}`} onClick={() => { setRevoking(invitation); }}>Revoke</Button>
        </div>
      ),
    },
  ];
  return (
    <>
      {resend.isError && <p role="alert" className="mb-2 text-failed">{messageOf(resend.error)}</p>}
      <DataTable label="Invitations" columns={columns} rows={query.data} rowKey={({ id }) => id} />
      <Confirm
        open={revoking !== undefined}
        title={`Revoke the invitation for ${revoking?.email ?? ""}?`}
        action="Revoke invitation"
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() => { if (revoking) revoke.mutate(revoking); }}
        onClose={() => { setRevoking(undefined); revoke.reset(); }}
      >
        The link no longer works. You can invite the same person again.
      </Confirm>
    </>
  );
}

function Guest({ email, by }: { email: string; by: string | undefined }) {
  return (
    <div className="min-w-0">
      <p className="font-medium break-all">{email}</p>
      {by !== undefined && <p className="text-[13px] text-muted-foreground">Invited by {by}</p>}
    </div>
  );
}

function State({ invitation: { state, mail, expires_at, accepted_at } }: { invitation: Invitation }) {
  return (
    <div className="flex flex-wrap items-center gap-x-2 gap-y-0.5">
      <Badge tone={STATES[state].tone}>{STATES[state].label}</Badge>
      <span className="text-[13px] text-muted-foreground">
        {state === "accepted" && accepted_at ? <Time iso={accepted_at} /> : <>{state === "expired" ? "Expired" : "Expires"} <Time iso={expires_at} /></>}
      </span>
      {state === "pending" && <span className={mail === "failed" ? "text-[13px] text-failed" : "text-[13px] text-muted-foreground"}>{MAIL[mail]}</span>}
    </div>
  );
}
