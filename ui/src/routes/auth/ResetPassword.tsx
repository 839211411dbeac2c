import { ApiError } from "@scaledtest/sdk";
import { useMutation } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { buttonClass } from "../../components/Button.tsx";
import { Field } from "../../components/Field.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { client } from "../../session.ts";
import { AuthForm, AuthNotice, AuthPage } from "./AuthPage.tsx";
import { insist, passwordProblem } from "./password.ts";

export function ResetPassword() {
  useTitle("New password");
  const { token } = useParams({ from: "/reset-password/$token" });
  const reset = useMutation({
    mutationFn: async (form: FormData) => {
      const password = fieldText(form, "newPassword");
      insist(passwordProblem(password, fieldText(form, "confirmPassword")));
      await client.resetPassword(token, password);
    },
  });

  if (reset.isSuccess) {
    return (
      <AuthPage hint="Set a new password">
        <AuthNotice live="status" title="Password changed" action={<Link to="/login" className={buttonClass("primary")}>Go to sign-in</Link>}>
          You are signed out everywhere. Sign in with the new password.
        </AuthNotice>
      </AuthPage>
    );
  }
  if (reset.error instanceof ApiError && reset.error.status === 410) {
    return (
      <AuthPage hint="Set a new password">
        <AuthNotice live="alert" title="This link is no longer good" action={<Link to="/forgot-password" className={buttonClass("primary")}>Ask for a new link</Link>}>
          It was used already, or it is too old.
        </AuthNotice>
      </AuthPage>
    );
  }
  return (
    <AuthPage hint="Set a new password">
      <AuthForm action="Set Password" busyAction="Saving…" busy={reset.isPending} error={reset.error} onSubmit={(form) => { reset.mutate(form); }}>
        <Field id="newPassword" label="New Password" type="password" autoComplete="new-password" hint="At least 8 characters." />
        <Field id="confirmPassword" label="Confirm Password" type="password" autoComplete="new-password" />
      </AuthForm>
    </AuthPage>
  );
}
