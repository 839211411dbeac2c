import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { Field } from "../../components/Field.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { signInProblem } from "../../lib/words.ts";
import { methodsQuery } from "../../queries.ts";
import { client, sessionStarted } from "../../session.ts";
import { AuthForm, authLink, AuthPage } from "./AuthPage.tsx";
import { Providers } from "./Providers.tsx";

export function Login() {
  useTitle("Sign in");
  const router = useRouter();
  const search = useSearch({ from: "/login" });
  const methods = useQuery(methodsQuery);
  const signIn = useMutation({
    mutationFn: (form: FormData) => client.login(fieldText(form, "email").trim(), fieldText(form, "password")),
    onSuccess: () => {
      sessionStarted();
      router.history.push(search.return_to ?? "/");
    },
  });
  const problem = signInProblem(search.error);
  // What came back with the address is old news once the form was sent.
  const error = signIn.isIdle && problem !== undefined ? new Error(problem) : signIn.error;

  return (
    <AuthPage
      hint="Sign in to see your test reports"
      footer={!methods.isPending && <Footer registration={methods.data?.registration ?? "open"} returnTo={search.return_to} />}
    >
      <AuthForm
        action="Sign In"
        busyAction="Signing in…"
        busy={signIn.isPending || signIn.isSuccess}
        error={error}
        onSubmit={(form) => { signIn.mutate(form); }}
        below={<Providers returnTo={search.return_to} />}
      >
        <Field id="email" label="Email" type="email" autoComplete="username" />
        <Field
          id="password"
          label="Password"
          type="password"
          autoComplete="current-password"
        />
        <p className="-mt-2 text-right text-[13px]"><Link to="/forgot-password" className={authLink}>Forgot password?</Link></p>
      </AuthForm>
    </AuthPage>
  );
}

function Footer({ registration, returnTo }: { registration: "open" | "invite" | "closed"; returnTo: string | undefined }) {
  if (registration === "invite") return "New here? Ask your team for an invitation.";
  if (registration === "closed") return "New accounts are not open on this server.";
  return <>No account yet? <Link to="/register" search={{ return_to: returnTo }} className={authLink}>Sign up</Link></>;
}
