import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { buttonClass } from "../../components/Button.tsx";
import { Field } from "../../components/Field.tsx";
import { useTitle } from "../../hooks.ts";
import { fieldText } from "../../lib/form.ts";
import { methodsQuery } from "../../queries.ts";
import { client } from "../../session.ts";
import { AuthForm, authLink, AuthNotice, AuthPage } from "./AuthPage.tsx";
import { insist } from "./password.ts";

export function ForgotPassword() {
  useTitle("Forgot password");
  const methods = useQuery(methodsQuery).data;
  const ask = useMutation({
    mutationFn: async (form: FormData) => {
      const email = fieldText(form, "email").trim();
      insist(email.includes("@") ? undefined : "Enter an e-mail address");
      await client.forgotPassword(email);
      return email;
    },
  });
  const back = <Link to="/login" className={buttonClass()}>Back to sign-in</Link>;

  if (methods && !methods.mail) {
    return (
      <AuthPage hint="Set a new password">
        <AuthNotice title="This server sends no mail" action={back}>
          Ask the owner of this server: under Admin they can make a link with which you set a new password.
        </AuthNotice>
      </AuthPage>
    );
  }
  if (ask.isSuccess) {
    return (
      <AuthPage hint="Set a new password">
        <AuthNotice live="status" title="Look into your mail" action={back}>
          If there is an account for {ask.data}, a link to set a new password is on its way.
        </AuthNotice>
      </AuthPage>
    );
  }
  return (
    <AuthPage hint="Set a new password" footer={<Link to="/login" className={authLink}>Back to sign-in</Link>}>
      <AuthForm action="Send Link" busyAction="Sending…" busy={ask.isPending} error={ask.error} onSubmit={(form) => { ask.mutate(form); }}>
        <Field id="email" label="Email" type="email" autoComplete="username" hint="We send a link to this address." />
      </AuthForm>
    </AuthPage>
  );
}
