import { ApiError } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Button, buttonClass } from "../../components/Button.tsx";
import { messageOf } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { client, useUser } from "../../session.ts";
import { AuthNotice, AuthPage } from "./AuthPage.tsx";

/** Asks before it verifies: programs that look through mail open its links, too, and some of them run the page's scripts. */
export function VerifyEmail() {
  useTitle("Verify e-mail");
  const { token } = useParams({ from: "/verify-email/$token" });
  return <AuthPage hint="Verify your e-mail address"><Verification token={token} /></AuthPage>;
}

function Verification({ token }: { token: string }) {
  const user = useUser();
  const verify = useMutation({ mutationFn: () => client.verifyEmail(token) });
  const onward = user
    ? <Link to="/" className={buttonClass("primary")}>Go to the start page</Link>
    : <Link to="/login" className={buttonClass("primary")}>Go to sign-in</Link>;
  const act = (label: string) => <Button look="primary" disabled={verify.isPending} onClick={() => { verify.mutate(); }}>{label}</Button>;

  if (verify.isSuccess) return <AuthNotice live="status" title="E-mail address verified" action={onward}>Thank you. Nothing else is needed.</AuthNotice>;
  if (!verify.isError) {
    return (
      <AuthNotice title="Is this address yours?" action={act("Verify Address")}>
        Confirm it only if you made an account on this server.
      </AuthNotice>
    );
  }
  const old = verify.error instanceof ApiError && verify.error.status === 410;
  return (
    <AuthNotice
      live="alert"
      title={old ? "This link is no longer good" : "The address could not be verified"}
      action={old ? onward : act("Try again")}
    >
      {old ? "It was used already, or it is too old. Signing in or your profile page sends a new one." : messageOf(verify.error)}
    </AuthNotice>
  );
}
