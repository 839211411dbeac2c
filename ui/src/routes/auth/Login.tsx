import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { messageOf } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { readReturnTo } from "../../lib/search.ts";
import { client, sessionStarted } from "../../session.ts";
import { AuthPage, Field } from "./AuthPage.tsx";

export function Login() {
  useTitle("Sign in");
  const router = useRouter();
  const { redirect } = useSearch({ from: "/login" });
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (form: FormData) => {
    setBusy(true);
    try {
      await client.login(fieldText(form, "email"), fieldText(form, "password"));
      sessionStarted();
      router.history.push(readReturnTo(redirect) ?? "/");
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <AuthPage
      hint="Sign in to see your test reports"
      action="Sign In"
      busyAction="Signing in…"
      busy={busy}
      error={error}
      onSubmit={(event) => {
        event.preventDefault();
        void submit(new FormData(event.currentTarget));
      }}
      footer={<>No account yet? <Link to="/register" search={{ redirect }} className="font-medium text-primary underline underline-offset-2">Sign up</Link></>}
    >
      <Field id="email" label="Email" type="email" autoComplete="username" />
      <Field id="password" label="Password" type="password" autoComplete="current-password" />
    </AuthPage>
  );
}
