-- Whose repository a rule meant when it was first used: names can be given up, and taken by somebody else. Ids as the issuer's
-- tokens say them. A row outlives its rule, whose id never comes again.
create table auth.publisher_pins (
    publisher_id  uuid primary key,
    repository_id text not null,
    owner_id      text not null
);
