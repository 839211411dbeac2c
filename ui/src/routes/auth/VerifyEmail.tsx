import { ApiError } from "@scaledtest/sdk";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Button, buttonClass } from "../../components/Button.tsx";
import { messageOf } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { client, useUser } from "../../session.ts";
import { AuthNotice, AuthPage } from "./AuthPage.tsx";

export function VerifyEmail() {
  useTitle("Verify e-mail");
  const { token } = useParams({ from: "/verify-email/$token" });
  const user = useUser();
  // Once for each link, however often the page is drawn.
  const verify = useQuery({
    queryKey: ["verify-email", token],
    queryFn: () => client.verifyEmail(token).then(() => true),
    retry: false,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const onward = user
    ? <Link to="/" className={buttonClass("primary")}>Go to the start page</Link>
    : <Link to="/login" className={buttonClass("primary")}>Go to sign-in</Link>;

  if (verify.isPending) return <AuthPage hint="Verify your e-mail address"><AuthNotice live="status" title="One moment…">The link is being checked.</AuthNotice></AuthPage>;
  if (verify.isSuccess) {
    return (
      <AuthPage hint="Verify your e-mail address">
        <AuthNotice live="status" title="E-mail address verified" action={onward}>Thank you. Nothing else is needed.</AuthNotice>
      </AuthPage>
    );
  }
  const old = verify.error instanceof ApiError && verify.error.status === 410;
  return (
    <AuthPage hint="Verify your e-mail address">
      <AuthNotice
        live="alert"
        title={old ? "This link is no longer good" : "The address could not be verified"}
        action={old ? onward : <Button onClick={() => void verify.refetch()}>Try again</Button>}
      >
        {old ? "It was used already, or it is too old. Your profile page sends a new one." : messageOf(verify.error)}
      </AuthNotice>
    </AuthPage>
  );
}
