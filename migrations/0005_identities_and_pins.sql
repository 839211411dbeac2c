-- Ids of people are a provider's own only at one address of it: another server numbers other people alike. Empty, of any
-- address, for what was linked before this was noted. The id names a row to its person, who may have two of one provider.
alter table auth.identities
    add column issuer text not null default '',
    add column id     uuid not null default gen_random_uuid() unique,
    drop constraint identities_pkey,
    add primary key (provider, subject, issuer);

-- Whose repository a rule meant when it was first used: names can be given up, and taken by somebody else. Ids as the issuer's
-- tokens say them. A row outlives its rule, whose id never comes again.
create table auth.publisher_pins (
    publisher_id  uuid primary key,
    repository_id text not null,
    owner_id      text not null
);
