import { ApiError, type InvitationPreview } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams, useRouter } from "@tanstack/react-router";
import { buttonClass } from "../../components/Button.tsx";
import { Field } from "../../components/Field.tsx";
import { ErrorBox } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { say } from "../../flash.ts";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { roleLabel } from "../../lib/team.ts";
import { invitationProblem } from "../../lib/words.ts";
import { invitationQuery, keys, queryClient } from "../../queries.ts";
import { chooseTeam, client, sessionStarted, signOut, useUser } from "../../session.ts";
import { AuthForm, authLink, AuthNotice, AuthPage } from "./AuthPage.tsx";
import { insist, passwordProblem } from "./password.ts";

export function Invitation() {
  useTitle("Invitation");
  const { token } = useParams({ from: "/invitations/$token" });
  const query = useQuery(invitationQuery(token));
  const known = query.error instanceof ApiError ? invitationProblem(query.error.code) : undefined;
  return (
    <AuthPage hint="You are invited to a team">
      {query.isPending && <AuthNotice live="status" title="One moment…">The invitation is being looked up.</AuthNotice>}
      {known && (
        <AuthNotice live="alert" title={known.title} action={<Link to="/" className={buttonClass()}>Go to ScaledTest</Link>}>{known.text}</AuthNotice>
      )}
      {query.isError && !known && <ErrorBox title="The invitation could not be loaded" error={query.error} retry={() => void query.refetch()} />}
      {query.data && <Accept token={token} invitation={query.data} />}
    </AuthPage>
  );
}

/** How it is accepted: as the person who is signed in, as somebody with an account, or with a new one. */
type Way = "signed-in" | "account" | "new";

async function accept(token: string, { email }: InvitationPreview, way: Way, form: FormData): Promise<string> {
  if (way === "signed-in") return (await client.acceptInvitation(token)).team_id;
  const password = fieldText(form, "password");
  const displayName = fieldText(form, "displayName").trim();
  if (way === "new") {
    insist(passwordProblem(password, fieldText(form, "confirmPassword")));
    insist(displayName === "" ? "Enter a display name" : undefined);
  }
  insist(password === "" ? "Enter your password" : undefined);
  const { team_id } = await client.acceptInvitation(token, { password, displayName });
  if (client.session) await signOut();
  await client.login(email, password);
  sessionStarted();
  return team_id;
}

function Accept({ token, invitation }: { token: string; invitation: InvitationPreview }) {
  const { email, role, team_name, expires_at, account_exists } = invitation;
  const router = useRouter();
  const user = useUser();
  const own = user?.email.toLowerCase() === email.toLowerCase();
  const way: Way = own ? "signed-in" : account_exists ? "account" : "new";
  const join = useMutation({
    mutationFn: (form: FormData) => accept(token, invitation, way, form),
    onSuccess: async (teamId) => {
      chooseTeam(teamId);
      await queryClient.invalidateQueries({ queryKey: keys.teams });
      say(`You are now in the team “${team_name}” as ${roleLabel(role).toLowerCase()}.`);
      router.history.push("/");
    },
  });

  return (
    <>
      <section aria-labelledby="team" className="panel mb-3 p-6">
        <h2 id="team" className="text-base font-semibold break-words">Join {team_name}</h2>
        <dl className="mt-3 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
          <dt className="text-muted-foreground">For</dt>
          <dd className="break-words">{email}</dd>
          <dt className="text-muted-foreground">Role</dt>
          <dd>{roleLabel(role)}</dd>
          <dt className="text-muted-foreground">Expires</dt>
          <dd><Time iso={expires_at} /></dd>
        </dl>
        {user && !own && <p className="mt-3 border-t pt-3 text-muted-foreground">You are signed in as {user.email}. Accepting takes you to the other account.</p>}
      </section>
      <AuthForm
        action="Accept Invitation"
        busyAction="Joining…"
        busy={join.isPending || join.isSuccess}
        error={join.error}
        onSubmit={(form) => { join.mutate(form); }}
      >
        {way === "signed-in" && <p>You are signed in as {user?.display_name}; one click is enough.</p>}
        {way === "account" && <ExistingAccount token={token} signedIn={user !== undefined} />}
        {way === "new" && (
          <>
            <Field id="displayName" label="Display Name" autoComplete="name" />
            <Field id="password" label="Password" type="password" autoComplete="new-password" hint="At least 8 characters." />
            <Field id="confirmPassword" label="Confirm Password" type="password" autoComplete="new-password" />
          </>
        )}
      </AuthForm>
    </>
  );
}

function ExistingAccount({ token, signedIn }: { token: string; signedIn: boolean }) {
  return (
    <>
      <Field id="password" label="Password" type="password" autoComplete="current-password" hint="You have an account already; use its password." />
      {!signedIn && (
        <p className="-mt-2 text-[13px] text-muted-foreground">
          Or <Link to="/login" search={{ return_to: `/invitations/${token}` }} className={authLink}>sign in another way</Link> and come back here.
        </p>
      )}
    </>
  );
}
