-- Accounts: personal data and hashes of secrets. A system of record: no rebuild touches it, every backup holds it.
create schema if not exists auth;

create table auth.users (
    id            uuid        primary key,
    email         text        not null,
    display_name  text        not null,
    -- argon2id in PHC notation; empty for an account that has no password.
    password_hash text        not null,
    -- pending until the log has the account; see accounts/registration.rs.
    state         text        not null default 'pending' check (state in ('pending', 'active')),
    created_at    timestamptz not null
);
create unique index users_email on auth.users (lower(email));
create index users_pending on auth.users (created_at) where state = 'pending';

-- One row per sign-in; its refresh token is replaced at every use.
create table auth.sessions (
    id         uuid        primary key,
    user_id    uuid        not null references auth.users (id) on delete cascade,
    token_hash bytea       not null unique,
    expires_at timestamptz not null,
    created_at timestamptz not null,
    user_agent text,
    ip         text
);
create index sessions_user on auth.sessions (user_id);
create index sessions_expiry on auth.sessions (expires_at);

-- Refresh tokens that were replaced: seen again within seconds it is another tab, later it is a thief.
create table auth.retired_refresh_tokens (
    token_hash bytea       primary key,
    session_id uuid        not null references auth.sessions (id) on delete cascade,
    retired_at timestamptz not null
);
create index retired_refresh_tokens_session on auth.retired_refresh_tokens (session_id);
create index retired_refresh_tokens_age on auth.retired_refresh_tokens (retired_at);

create table auth.api_tokens (
    id           uuid        primary key,
    team_id      uuid        not null,
    user_id      uuid        not null references auth.users (id) on delete cascade,
    token_hash   bytea       not null unique,
    scopes       text[]      not null,
    expires_at   timestamptz,
    -- pending until the log has it; revoked from the moment somebody asks for it.
    state        text        not null default 'pending' check (state in ('pending', 'active', 'revoked')),
    last_used_at timestamptz,
    created_at   timestamptz not null
);
create index api_tokens_team on auth.api_tokens (team_id);
create index api_tokens_unfinished on auth.api_tokens (created_at) where state <> 'active';

-- Sign-ins and failures. Append-only. What happens to teams and tokens is in the log.
create table auth.audit (
    id      bigint generated always as identity primary key,
    at      timestamptz not null,
    action  text        not null,
    user_id uuid,
    -- The address that was typed, where there is no account to name.
    email   text,
    ip      text
);
create index audit_at on auth.audit (at);
create index audit_user on auth.audit (user_id, at);

create function auth.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'auth.audit is append-only';
end $$;
create trigger append_only before update on auth.audit for each row execute function auth.refuse_change();
