import type { Member, Team, TeamRole } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { UserPlus } from "lucide-react";
import { useState } from "react";
import { Badge } from "../../components/Badge.tsx";
import { Button, buttonClass } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Section } from "../../components/Section.tsx";
import { ErrorBox, messageOf, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { farewells } from "../../flash.ts";
import { useTitle } from "../../hooks.ts";
import { plural } from "../../lib/format.ts";
import { isLastOwner, roleLabel, ROLES } from "../../lib/team.ts";
import { keys, membersQuery, queryClient, useTeam } from "../../queries.ts";
import { client, useUser } from "../../session.ts";
import { forgetTeam } from "./forget.ts";
import { RoleLegend } from "./RoleLegend.tsx";

export function Members() {
  useTitle("Members");
  const team = useTeam();
  const query = useQuery({ ...membersQuery(team?.id ?? ""), enabled: team !== undefined });
  if (!team) return null;
  return (
    <Section
      bare
      title="Members"
      note={query.data && plural(query.data.length, "person").replace("persons", "people")}
      aside={team.role !== "readonly" && <Link to="/team/invitations" className={buttonClass()}><UserPlus aria-hidden size={15} />Invite somebody</Link>}
    >
      {query.isPending && <Skeleton rows={3} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data && <MemberTable team={team} members={query.data} />}
      <RoleLegend roles={ROLES} />
    </Section>
  );
}

function MemberTable({ team, members }: { team: Team; members: Member[] }) {
  const me = useUser()?.id;
  const owner = team.role === "owner";
  const [leaving, setLeaving] = useState<Member>();
  const [stepping, setStepping] = useState<{ member: Member; role: TeamRole }>();
  const change = useMutation({
    mutationFn: ({ member, role }: { member: Member; role: TeamRole }) => client.setMemberRole(team.id, member.user_id, role),
    onSettled: () => Promise.all([keys.members(), keys.teams].map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
    onSuccess: () => { setStepping(undefined); },
  });

  const setRole = (member: Member, role: TeamRole) => {
    // Who gives up their own ownership cannot take it back.
    if (member.user_id === me) setStepping({ member, role });
    else change.mutate({ member, role });
  };

  const columns: Column<Member>[] = [
    { header: "Person", cell: (member) => <Person member={member} own={member.user_id === me} /> },
    {
      header: "Role",
      cell: (member) => owner
        ? <RoleChoice member={member} last={isLastOwner(members, member)} busy={change.isPending} onRole={(role) => { setRole(member, role); }} />
        : roleLabel(member.role),
    },
    { header: "Joined", cell: (member) => <Time iso={member.joined_at} className="whitespace-nowrap text-muted-foreground" /> },
    {
      header: "Actions",
      actions: true,
      cell: (member) => {
        const own = member.user_id === me;
        if ((!own && !owner) || isLastOwner(members, member)) return null;
        return (
          <Button small look={own ? "plain" : "danger"} aria-label={own ? `Leave ${team.name}` : `Remove ${member.display_name}`} onClick={() => { setLeaving(member); }}>
            {own ? "Leave" : "Remove"}
          </Button>
        );
      },
    },
  ];
  const changed = change.isSuccess && !stepping ? `${change.variables.member.display_name}: ${roleLabel(change.variables.role)}` : "";

  return (
    <>
      <DataTable label="Members" columns={columns} rows={members} rowKey={({ user_id }) => user_id} />
      <p role="status" className="sr-only">{changed}</p>
      {change.isError && !stepping && <p role="alert" className="mt-2 text-failed">{messageOf(change.error)}</p>}
      <Confirm
        open={stepping !== undefined}
        title="Give up your own role?"
        action={`Become ${roleLabel(stepping?.role ?? "readonly").toLowerCase()}`}
        busy={change.isPending}
        error={change.error}
        onConfirm={() => { if (stepping) change.mutate(stepping); }}
        onClose={() => { setStepping(undefined); change.reset(); }}
      >
        You can no longer manage this team. Only another owner can give the role back to you.
      </Confirm>
      <Removal team={team} member={leaving} own={leaving?.user_id === me} onClose={() => { setLeaving(undefined); }} />
    </>
  );
}

function Person({ member, own }: { member: Member; own: boolean }) {
  return (
    <div className="min-w-0">
      <p className="flex flex-wrap items-center gap-x-2 font-medium break-words">
        {member.display_name}
        {own && <Badge>You</Badge>}
      </p>
      {member.email && <p className="text-[13px] break-all text-muted-foreground">{member.email}</p>}
    </div>
  );
}

function RoleChoice({ member, last, busy, onRole }: { member: Member; last: boolean; busy: boolean; onRole: (role: TeamRole) => void }) {
  const hint = `last-owner-${member.user_id}`;
  return (
    <>
      <select
        aria-label={`Role of ${member.display_name}`}
        aria-describedby={last ? hint : undefined}
        className="field h-8 w-36 disabled:opacity-70"
        disabled={last || busy}
        value={member.role}
        onChange={(event) => {
          const next = ROLES.find(({ role }) => role === event.target.value);
          if (next) onRole(next.role);
        }}
      >
        {ROLES.map(({ role, label, may }) => <option key={role} value={role} title={may}>{label}</option>)}
      </select>
      {last && <p id={hint} className="mt-1 max-w-56 text-[13px] text-muted-foreground">The only owner. Make somebody else owner first.</p>}
    </>
  );
}

function Removal({ team, member, own, onClose }: { team: Team; member: Member | undefined; own: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: (leaver: Member) => client.removeMember(team.id, leaver.user_id),
    // The live connection may tell of it before the answer does.
    onMutate: () => { if (own) farewells.set(team.id, `You left the team “${team.name}”.`); },
    onError: () => { farewells.delete(team.id); },
    onSuccess: async () => {
      if (own) {
        forgetTeam(team);
        await navigate({ to: "/" });
        await queryClient.invalidateQueries({ queryKey: keys.teams });
        return;
      }
      await Promise.all([keys.members(), keys.team()].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
      onClose();
    },
  });
  const name = member?.display_name ?? "";
  return (
    <Confirm
      open={member !== undefined}
      title={own ? `Leave “${team.name}”?` : `Remove ${name}?`}
      action={own ? "Leave team" : "Remove member"}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => { if (member) remove.mutate(member); }}
      onClose={() => { remove.reset(); onClose(); }}
    >
      {own ? "You no longer see its reports. Coming back takes an invitation." : `${name} no longer sees anything of “${team.name}”, and their tokens for it stop working.`}
    </Confirm>
  );
}
