import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { buttonClass } from "../../components/Button.tsx";
import { Field } from "../../components/Field.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { methodsQuery } from "../../queries.ts";
import { client, sessionStarted } from "../../session.ts";
import { AuthForm, authLink, AuthNotice, AuthPage } from "./AuthPage.tsx";
import { insist, passwordProblem } from "./password.ts";
import { Providers } from "./Providers.tsx";

async function register(form: FormData): Promise<void> {
  const email = fieldText(form, "email").trim();
  const password = fieldText(form, "password");
  const name = fieldText(form, "displayName").trim();
  insist(passwordProblem(password, fieldText(form, "confirmPassword")));
  insist(name === "" ? "Enter a display name" : undefined);
  insist(email.includes("@") ? undefined : "Enter an e-mail address");
  await client.register(email, password, name);
}

export function Register() {
  useTitle("Sign up");
  const router = useRouter();
  const { return_to } = useSearch({ from: "/register" });
  const methods = useQuery(methodsQuery);
  const create = useMutation({
    mutationFn: register,
    onSuccess: () => {
      sessionStarted();
      router.history.push(return_to ?? "/");
    },
  });
  const registration = methods.data?.registration ?? "open";

  if (methods.isPending) return <AuthPage hint="Create your account"><div className="panel h-96" aria-busy /></AuthPage>;
  if (registration !== "open") {
    return (
      <AuthPage hint="Create your account">
        <AuthNotice
          title={registration === "invite" ? "By invitation only" : "Registration is closed"}
          action={<Link to="/login" search={{ return_to }} className={buttonClass("primary")}>Go to sign-in</Link>}
        >
          {registration === "invite"
            ? "On this server, accounts are made from an invitation. Ask somebody of your team for one: the link in it leads to the form."
            : "The owner of this server does not take new accounts at present."}
        </AuthNotice>
      </AuthPage>
    );
  }
  return (
    <AuthPage
      hint="Create your account"
      footer={<>Already have an account? <Link to="/login" search={{ return_to }} className={authLink}>Sign in</Link></>}
    >
      <AuthForm
        action="Create Account"
        busyAction="Creating…"
        busy={create.isPending || create.isSuccess}
        error={create.error}
        onSubmit={(form) => { create.mutate(form); }}
        below={<Providers returnTo={return_to} />}
      >
        <Field id="displayName" label="Display Name" autoComplete="name" />
        <Field id="email" label="Email" type="email" autoComplete="username" />
        <Field id="password" label="Password" type="password" autoComplete="new-password" />
        <Field id="confirmPassword" label="Confirm Password" type="password" autoComplete="new-password" />
      </AuthForm>
    </AuthPage>
  );
}
