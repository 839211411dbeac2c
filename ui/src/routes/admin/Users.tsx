import type { AdminUser, PasswordReset } from "@scaledtest/sdk";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Ban, CircleCheck, Ellipsis, History, KeyRound, ShieldCheck, ShieldOff } from "lucide-react";
import { useState } from "react";
import { Badge } from "../../components/Badge.tsx";
import { buttonClass } from "../../components/Button.tsx";
import { DataTable, type Column } from "../../components/DataTable.tsx";
import { Confirm } from "../../components/Dialog.tsx";
import { Pager } from "../../components/Pager.tsx";
import { Popover, popoverItem } from "../../components/Popover.tsx";
import { Secret } from "../../components/Secret.tsx";
import { Section } from "../../components/Section.tsx";
import { Empty, ErrorBox, Skeleton } from "../../components/States.tsx";
import { Time } from "../../components/Time.tsx";
import { formatAbsolute, formatCount, plural } from "../../lib/format.ts";
import { ADMIN_PAGE, adminUsersQuery, keys, queryClient } from "../../queries.ts";
import { client, useUser } from "../../session.ts";
import { SearchBox } from "./SearchBox.tsx";
import { useAdminSearch } from "./useAdminSearch.ts";

/** What is being asked about whom. */
interface Question {
  kind: "disable" | "enable" | "promote" | "demote" | "reset";
  user: AdminUser;
}

export function Users() {
  const [{ user: text }, change] = useAdminSearch();
  const [offset, setOffset] = useState(0);
  const [question, setQuestion] = useState<Question>();
  const [reset, setReset] = useState<{ user: AdminUser; link: PasswordReset }>();
  const query = useQuery(adminUsersQuery(text, offset));
  const me = useUser()?.id;

  const history = ({ id }: AdminUser) => {
    change({ actor: id });
    document.getElementById("audit-log")?.scrollIntoView();
  };
  const columns: Column<AdminUser>[] = [
    { header: "User", className: "max-w-80", cell: (user) => <Person user={user} own={user.id === me} /> },
    { header: "Teams", cell: ({ teams }) => formatCount(teams) },
    { header: "Last seen", cell: ({ last_seen_at }) => last_seen_at ? <Time iso={last_seen_at} className="whitespace-nowrap text-muted-foreground" /> : <span className="text-muted-foreground">never</span> },
    { header: "Created", cell: ({ created_at }) => <Time iso={created_at} className="whitespace-nowrap text-muted-foreground" /> },
    {
      header: "Actions",
      actions: true,
      cell: (user) => <Manage user={user} own={user.id === me} onAsk={(kind) => { setQuestion({ kind, user }); }} onHistory={() => { history(user); }} />,
    },
  ];

  return (
    <Section
      bare
      id="users"
      title="Users"
      note={query.data && plural(query.data.total, "account")}
      aside={<SearchBox label="Search users" value={text ?? ""} onChange={(next) => { setOffset(0); change({ user: next.trim() }); }} />}
    >
      {reset && (
        <Secret
          title={`Password link for ${reset.user.display_name}`}
          note={reset.link.mailed
            ? "It was mailed, too. It is not shown again."
            : `No mail went out: pass it on yourself. It is not shown again, and good until ${formatAbsolute(reset.link.expires_at)}.`}
          label="Password link"
          text={reset.link.reset_url}
          copy="Copy link"
          onDone={() => { setReset(undefined); }}
        />
      )}
      {query.isPending && <Skeleton rows={5} />}
      {query.isError && <ErrorBox error={query.error} retry={() => void query.refetch()} />}
      {query.data?.total === 0 && <Empty title="Nobody found">No name and no e-mail address has “{text}” in it.</Empty>}
      {query.data && query.data.total > 0 && (
        <>
          <DataTable label="Users" columns={columns} rows={query.data.users} rowKey={({ id }) => id} dimmed={query.isPlaceholderData} />
          <Pager what="users" offset={offset} size={ADMIN_PAGE} total={query.data.total} onOffset={setOffset} />
        </>
      )}
      <Answer question={question} onClose={() => { setQuestion(undefined); }} onReset={(user, link) => { setReset({ user, link }); }} />
    </Section>
  );
}

function Person({ user, own }: { user: AdminUser; own: boolean }) {
  return (
    <div className="min-w-0">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-0.5 font-medium break-words">
        {user.display_name}
        {own && <Badge>You</Badge>}
        {user.role === "owner" && <Badge tone="accent" icon={ShieldCheck}>Instance owner</Badge>}
        {user.disabled && <Badge tone="bad" icon={Ban}>Disabled</Badge>}
      </p>
      <p className="text-[13px] break-all text-muted-foreground">
        {user.email}
        {!user.email_verified && <span title="The e-mail address is not verified"> · not verified</span>}
      </p>
    </div>
  );
}

function Manage({ user, own, onAsk, onHistory }: { user: AdminUser; own: boolean; onAsk: (kind: Question["kind"]) => void; onHistory: () => void }) {
  return (
    <Popover
      label={`Manage ${user.display_name}`}
      triggerClass={buttonClass("plain", true)}
      panelClass="right-0 w-60"
      trigger={<Ellipsis aria-hidden size={16} />}
    >
      {(close) => {
        const ask = (kind: Question["kind"]) => () => {
          close();
          onAsk(kind);
        };
        return (
          <>
            <button type="button" className={popoverItem} onClick={() => { close(); onHistory(); }}><History aria-hidden size={15} />Show in the audit log</button>
            <button type="button" className={popoverItem} onClick={ask("reset")}><KeyRound aria-hidden size={15} />Reset password…</button>
            {own ? (
              <p className="mt-1 border-t px-2 pt-1.5 pb-1 text-[13px] text-muted-foreground">Only another instance owner can disable you or take the role.</p>
            ) : (
              <>
                {user.role === "owner"
                  ? <button type="button" className={popoverItem} onClick={ask("demote")}><ShieldOff aria-hidden size={15} />Take instance ownership…</button>
                  : <button type="button" className={popoverItem} onClick={ask("promote")}><ShieldCheck aria-hidden size={15} />Make instance owner…</button>}
                {user.disabled
                  ? <button type="button" className={popoverItem} onClick={ask("enable")}><CircleCheck aria-hidden size={15} />Enable…</button>
                  : <button type="button" className={`${popoverItem} text-failed`} onClick={ask("disable")}><Ban aria-hidden size={15} />Disable…</button>}
              </>
            )}
          </>
        );
      }}
    </Popover>
  );
}

const WORDS: Record<Question["kind"], { title: (name: string) => string; action: string; text: string }> = {
  disable: { title: (name) => `Disable ${name}?`, action: "Disable", text: "Every session ends at once and signing in is refused. What they uploaded stays." },
  enable: { title: (name) => `Enable ${name}?`, action: "Enable", text: "They can sign in again and are in their teams as before." },
  promote: { title: (name) => `Make ${name} an instance owner?`, action: "Make owner", text: "They can do everything on this page, also to your account." },
  demote: { title: (name) => `Take instance ownership from ${name}?`, action: "Take ownership", text: "They no longer see this page. Their roles in teams stay." },
  reset: { title: (name) => `Reset the password of ${name}?`, action: "Reset password", text: "Every session of theirs ends, and you get a link with which they set a new password." },
};

function act({ kind, user }: Question): Promise<PasswordReset | undefined> {
  switch (kind) {
    case "reset":
      return client.admin.resetPassword(user.id);
    case "disable":
    case "enable":
      return client.admin.updateUser(user.id, { disabled: kind === "disable" }).then(() => undefined);
    case "promote":
    case "demote":
      return client.admin.updateUser(user.id, { role: kind === "promote" ? "owner" : "maintainer" }).then(() => undefined);
  }
}

function Answer({ question, onClose, onReset }: { question: Question | undefined; onClose: () => void; onReset: (user: AdminUser, link: PasswordReset) => void }) {
  const action = useMutation({
    mutationFn: act,
    onSuccess: async (link, { user }) => {
      await queryClient.invalidateQueries({ queryKey: keys.admin() });
      if (link) onReset(user, link);
      onClose();
    },
  });
  const words = WORDS[question?.kind ?? "reset"];
  return (
    <Confirm
      open={question !== undefined}
      title={words.title(question?.user.display_name ?? "")}
      action={words.action}
      busy={action.isPending}
      error={action.error}
      onConfirm={() => { if (question) action.mutate(question); }}
      onClose={() => { action.reset(); onClose(); }}
    >
      {words.text}
    </Confirm>
  );
}
