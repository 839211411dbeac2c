-- People: whether an address was proven, and where else they sign in.
alter table auth.users
    add column email_verified_at timestamptz,
    add column updated_at        timestamptz not null default now();
alter table auth.users alter column updated_at drop default;

alter table auth.sessions add column last_seen_at timestamptz;
update auth.sessions set last_seen_at = created_at;
alter table auth.sessions alter column last_seen_at set not null;

-- Accounts at other providers that sign somebody in. Their tokens are not kept.
create table auth.identities (
    provider  text        not null,
    -- The provider's own id of the person.
    subject   text        not null,
    user_id   uuid        not null references auth.users (id) on delete cascade,
    name      text,
    linked_at timestamptz not null,
    primary key (provider, subject)
);
create index identities_user on auth.identities (user_id);

-- Links that were mailed to prove something, once. What the link holds follows from the id and the instance's key.
create table auth.links (
    id         uuid        primary key,
    user_id    uuid        not null references auth.users (id) on delete cascade,
    purpose    text        not null check (purpose in ('reset_password', 'verify_email')),
    token_hash bytea       not null unique,
    -- The address at the time: a link proves no other.
    email      text        not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index links_user on auth.links (user_id, purpose);
create index links_expiry on auth.links (expires_at);

-- The personal side of invitations; the rest is in the log.
create table auth.invitations (
    id         uuid        primary key,
    team_id    uuid        not null,
    email      text        not null,
    -- What the links hold follows from the id, this number and the instance's key: another number, other links.
    serial     int         not null default 1,
    -- Of the link that is shown to whoever invites.
    token_hash bytea       not null unique,
    -- Of the link that only the mail holds: whoever shows it reads mail to the address.
    mailed_hash bytea       not null unique,
    -- Who made it or sent it last: it is good only as long as they may invite.
    vouched_by uuid        not null,
    -- pending until the log has it; accepting while somebody joins; revoked until the log has that;
    -- see accounts/invitations.rs.
    state      text        not null default 'pending'
               check (state in ('pending', 'active', 'accepting', 'accepted', 'revoked')),
    -- Who accepts it.
    user_id    uuid        references auth.users (id) on delete set null,
    -- When the state changed: the sweep leaves alone what a request may be working on.
    changed_at timestamptz not null
);
create index invitations_team on auth.invitations (team_id);
create unique index invitations_address on auth.invitations (team_id, lower(email))
    where state in ('pending', 'active', 'accepting');
create index invitations_user on auth.invitations (user_id);
create index invitations_unfinished on auth.invitations (changed_at) where state in ('pending', 'accepting', 'revoked');

-- Mail on its way. Links are made when it is sent, so that no row holds a secret.
create table auth.mail (
    id         uuid        primary key,
    recipient  text        not null,
    template   text        not null,
    -- What it is about: an invitation, a link.
    subject_id uuid        not null,
    params     jsonb       not null,
    state      text        not null default 'queued' check (state in ('queued', 'sent', 'failed')),
    attempts   int         not null default 0,
    next_at    timestamptz not null,
    error      text,
    created_at timestamptz not null,
    sent_at    timestamptz
);
create index mail_queue on auth.mail (next_at) where state = 'queued';
create index mail_subject on auth.mail (subject_id, created_at desc);
create index mail_recipient on auth.mail (lower(recipient), created_at);
create index mail_age on auth.mail (created_at);

-- Failures to sign in since the last success, by the hash of the address: also of addresses without an account.
create table auth.sign_in_failures (
    account_hash  bytea       primary key,
    failures      int         not null,
    blocked_until timestamptz,
    at            timestamptz not null
);
create index sign_in_failures_age on auth.sign_in_failures (at);

-- Addresses from which API tokens were used.
create table auth.token_addresses (
    token_id uuid        not null,
    ip       text        not null,
    at       timestamptz not null,
    primary key (token_id, ip)
);

alter table auth.audit
    add column token_id uuid,
    add column team_id  uuid,
    -- Who did it, where it is not the person that it was done to.
    add column actor_id uuid,
    add column detail   jsonb;

-- Calls counted per key and minute, for all replicas. Not worth a place in the write-ahead log: after a crash it is empty.
create unlogged table ops.rate_limit (
    key      bytea  primary key,
    -- Minutes since the epoch.
    minute   bigint not null,
    -- Calls in that minute, and in the one before.
    current  int    not null,
    previous int    not null
);
create index rate_limit_age on ops.rate_limit (minute);

-- Takes up to `block` calls of what is left in the minute. What was used is estimated as a sliding window: this minute's calls
-- and `weight` of the last one's. Rows are locked by the update, so that replicas cannot grant the same calls twice.
create function ops.take_calls(who bytea, now_minute bigint, weight float8, most int, block int, out granted int, out used int)
language plpgsql as $$
declare
    row ops.rate_limit;
begin
    insert into ops.rate_limit as l (key, minute, current, previous) values (who, now_minute, 0, 0)
    on conflict (key) do update set
        previous = case when l.minute >= now_minute then l.previous when l.minute = now_minute - 1 then l.current else 0 end,
        current  = case when l.minute >= now_minute then l.current else 0 end,
        minute   = greatest(l.minute, now_minute)
    returning l.* into row;
    used := row.current + round(row.previous * weight)::int;
    granted := greatest(0, least(block, most - used));
    if granted > 0 then
        update ops.rate_limit set current = current + granted where key = who;
    end if;
end $$;
