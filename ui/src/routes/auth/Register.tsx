import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { messageOf } from "../../components/States.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { readReturnTo } from "../../lib/search.ts";
import { client, sessionStarted } from "../../session.ts";
import { AuthPage, Field } from "./AuthPage.tsx";

const MIN_PASSWORD = 8;

interface Entries {
  email: string;
  password: string;
  repeated: string;
  name: string;
}

/** The first thing that is wrong with the form; the server checks the rest. */
function problem({ password, repeated, name, email }: Entries): string | undefined {
  if (password !== repeated) return "Passwords do not match";
  if (password.length < MIN_PASSWORD) return `The password needs at least ${String(MIN_PASSWORD)} characters`;
  if (name === "") return "Enter a display name";
  if (!email.includes("@")) return "Enter an e-mail address";
  return undefined;
}

export function Register() {
  useTitle("Sign up");
  const router = useRouter();
  const { redirect } = useSearch({ from: "/register" });
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (form: FormData) => {
    const entries = {
      email: fieldText(form, "email").trim(),
      password: fieldText(form, "password"),
      repeated: fieldText(form, "confirmPassword"),
      name: fieldText(form, "displayName").trim(),
    };
    const wrong = problem(entries);
    setError(wrong);
    if (wrong !== undefined) return;
    setBusy(true);
    try {
      await client.register(entries.email, entries.password, entries.name);
      sessionStarted();
      router.history.push(readReturnTo(redirect) ?? "/");
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  };

  return (
    <AuthPage
      hint="Create your account"
      action="Create Account"
      busyAction="Creating…"
      busy={busy}
      error={error}
      onSubmit={(event) => {
        event.preventDefault();
        void submit(new FormData(event.currentTarget));
      }}
      footer={<>Already have an account? <Link to="/login" search={{ redirect }} className="font-medium text-primary underline underline-offset-2">Sign in</Link></>}
    >
      <Field id="displayName" label="Display Name" autoComplete="name" />
      <Field id="email" label="Email" type="email" autoComplete="username" />
      <Field id="password" label="Password" type="password" autoComplete="new-password" />
      <Field id="confirmPassword" label="Confirm Password" type="password" autoComplete="new-password" />
    </AuthPage>
  );
}
