import type { User } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { CircleAlert, CircleCheck } from "lucide-react";
import { Badge } from "../../components/Badge.tsx";
import { Button } from "../../components/Button.tsx";
import { Field } from "../../components/Field.tsx";
import { Outcome } from "../../components/Outcome.tsx";
import { Section } from "../../components/Section.tsx";
import { PageHeader } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { keys, methodsQuery, queryClient } from "../../queries.ts";
import { client, useUser } from "../../session.ts";
import { insist, passwordProblem } from "../auth/password.ts";
import { Identities } from "./Identities.tsx";
import { Sessions } from "./Sessions.tsx";

export function Profile() {
  useTitle("Profile");
  const user = useUser();
  const { error } = useSearch({ from: "/app/profile" });
  if (!user) return null;
  return (
    <div className="max-w-4xl">
      <PageHeader title="Profile" note={user.role === "owner" ? "You own this server." : undefined} />
      <Name user={user} />
      <Email user={user} />
      {user.has_password ? <ChangePassword /> : <NoPassword />}
      <Identities error={error} />
      <Sessions />
    </div>
  );
}

function Name({ user }: { user: User }) {
  const save = useMutation({ mutationFn: (name: string) => client.updateProfile(name) });
  return (
    <Section title="Name">
      <form
        className="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const name = fieldText(new FormData(event.currentTarget), "displayName").trim();
          if (name !== "") save.mutate(name);
        }}
      >
        <Field id="displayName" label="Display Name" required maxLength={255} autoComplete="name" defaultValue={user.display_name} className="min-w-48 grow sm:max-w-96" />
        <Button type="submit" disabled={save.isPending}>Save Name</Button>
        <Outcome of={save} done="Saved" className="self-end pb-1.5" />
      </form>
    </Section>
  );
}

function Email({ user }: { user: User }) {
  const mail = useQuery(methodsQuery).data?.mail ?? false;
  const resend = useMutation({ mutationFn: () => client.resendVerification() });
  return (
    <Section title="E-mail">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <span className="break-all">{user.email}</span>
        {user.email_verified ? <Badge tone="good" icon={CircleCheck}>Verified</Badge> : <Badge tone="warn" icon={CircleAlert}>Not verified</Badge>}
        {!user.email_verified && mail && <Button small disabled={resend.isPending} onClick={() => { resend.mutate(); }}>Send verification mail</Button>}
        <Outcome of={resend} done={`Sent to ${user.email}`} />
      </div>
      {!user.email_verified && !mail && <p className="mt-1 text-[13px] text-muted-foreground">This server sends no mail, so nothing has to be verified.</p>}
    </Section>
  );
}

function ChangePassword() {
  const change = useMutation({
    mutationFn: async (form: FormData) => {
      const next = fieldText(form, "newPassword");
      insist(passwordProblem(next, fieldText(form, "confirmPassword")));
      await client.changePassword(fieldText(form, "currentPassword"), next);
    },
    onSuccess: () => queryClient.invalidateQueries({ queryKey: keys.sessions }),
  });
  return (
    <Section title="Password" note="A change signs you out everywhere else.">
      <form
        noValidate
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          change.mutate(new FormData(form), { onSuccess: () => { form.reset(); } });
        }}
      >
        <div className="grid gap-3 sm:grid-cols-3">
          <Field id="currentPassword" label="Current Password" type="password" autoComplete="current-password" />
          <Field id="newPassword" label="New Password" type="password" autoComplete="new-password" />
          <Field id="confirmPassword" label="Confirm Password" type="password" autoComplete="new-password" />
        </div>
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" disabled={change.isPending}>Change Password</Button>
          <Outcome of={change} done="Password changed" />
        </div>
      </form>
    </Section>
  );
}

function NoPassword() {
  return (
    <Section title="Password">
      <p className="text-muted-foreground">You sign in through another service and have no password here. “Forgot password?” on the sign-in page sets one.</p>
    </Section>
  );
}
