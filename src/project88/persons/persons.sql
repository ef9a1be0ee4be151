-- The person registry: ids that last, apart from the clusters that the linkage finds. No reader's role may see it.
-- And what is kept of persons who were forgotten.
-- Run as a whole by project88.persons.schema.ensure whenever this file has changed, so every statement may run again.

create table if not exists hub.persons (
    person_id text primary key,
    timing_partner_id integer not null,
    since bigint not null,
    first_record text not null,
    nth integer not null,
    minted_at timestamptz not null,
    retired_at timestamptz,
    unique (timing_partner_id, since),
    unique (timing_partner_id, first_record, nth)
);
comment on table hub.persons is
'One row per id that was ever given out, retired ones too: none is given out again. since: the partner''s order of
making, by which the older of two is known.';

create table if not exists hub.person_records (
    record_key text primary key,
    timing_partner_id integer not null,
    person_id text not null,
    confidence double precision not null,
    fingerprint uuid not null
) with (fillfactor = 90);
create index if not exists person_records_person_id on hub.person_records (person_id);
create index if not exists person_records_partner on hub.person_records (timing_partner_id);
comment on table hub.person_records is
'Whose each record is: entries by participant_key, results without an entry by result_key. fingerprint: of what the
linkage read of it, so that only what differs is linked again.';

create table if not exists hub.person_aliases (
    person_id text primary key,
    successor_id text,
    retired_at timestamptz not null
);
create index if not exists person_aliases_successor_id on hub.person_aliases (successor_id);
comment on table hub.person_aliases is
'Retired ids and who has their records; the successor may have been retired since. Null: no record was left.';

create table if not exists hub.person_decisions (
    decision_id bigint generated always as identity primary key,
    timing_partner_id integer not null,
    kind text not null check (kind in ('merge', 'split', 'confirm')),
    records text[] not null,
    others text[] not null,
    person_ids text[] not null,
    decided_by text not null,
    reason text not null,
    decided_at timestamptz not null
);
create index if not exists person_decisions_partner on hub.person_decisions (timing_partner_id, decision_id);
comment on table hub.person_decisions is
'What somebody decided, about records; person_ids: as they were called then. Rows are added and
never changed, but for records of somebody who is forgotten: they go, and the reason with them.';

create table if not exists hub.person_changes (
    timing_partner_id integer not null,
    number bigint not null,
    kind text not null check (kind in ('merged', 'split', 'moved', 'ended', 'forgotten')),
    person_id text not null,
    other_person_id text,
    records integer not null,
    is_decided boolean not null,
    changed_at timestamptz not null,
    primary key (timing_partner_id, number)
);
create index if not exists person_changes_person_id on hub.person_changes (person_id);
create index if not exists person_changes_other_person_id on hub.person_changes (other_person_id);
comment on table hub.person_changes is
'What became of records that had another id, step by step; numbered within a partner.';

create table if not exists hub.person_news (
    timing_partner_id integer not null,
    number bigint not null,
    kind text not null check (kind in ('merged', 'split', 'moved', 'ended', 'forgotten')),
    person_id text not null,
    other_person_id text,
    records integer not null,
    is_decided boolean not null,
    changed_at timestamptz not null,
    primary key (timing_partner_id, number)
);
comment on table hub.person_news is
'What readers are told: how the ids that they see at a publish differ from those of the publish before. Rows that are
not published yet are made anew by each cycle. Numbered within a partner: what others do must not show.';

-- Tables of before know no kind `forgotten`.
alter table hub.person_changes drop constraint if exists person_changes_kind_check;
alter table hub.person_changes add constraint person_changes_kind_check
check (kind in ('merged', 'split', 'moved', 'ended', 'forgotten'));
alter table hub.person_news drop constraint if exists person_news_kind_check;
alter table hub.person_news add constraint person_news_kind_check
check (kind in ('merged', 'split', 'moved', 'ended', 'forgotten'));

create table if not exists hub.people_across (
    global_participant_id text primary key,
    timing_partner_id integer not null,
    people_id text not null,
    confidence double precision not null
);
create index if not exists people_across_people_id on hub.people_across (people_id);
comment on table hub.people_across is
'For staff alone: persons of several timing partners who are one. people_id is for counting and joining, and moves as
data grow.';

create table if not exists hub.person_due (
    record_key text primary key
);
comment on table hub.person_due is
'Records whose person or confidence changed since the candidate relations were told. Written with the change itself.';

create table if not exists hub.person_linkage (
    is_only boolean primary key default true check (is_only),
    state jsonb not null,
    at timestamptz not null default now()
);
comment on table hub.person_linkage is
'What the linkage said last that the registry followed: its token, and the parameters it has learned.';

-- forgotten persons

create table if not exists hub.forgotten (
    key_hash bytea primary key,
    salt_id text not null,
    timing_partner_id integer not null,
    provider text not null,
    stream text not null,
    scope text,
    forgotten_at timestamptz not null,
    forgotten_by text not null
);
create index if not exists forgotten_scope on hub.forgotten (timing_partner_id, provider, stream, scope);
comment on table hub.forgotten is
'What raw refuses: keyed hashes of the ids of forgotten rows. stream: the raw table whose row it was, or what several
tables know the row by (entry, application, starter). scope: the event of a row, so that readings add up.';

create table if not exists hub.forgotten_salt (
    salt_id text primary key,
    sealed text not null,
    sealed_key_id text not null
);
comment on table hub.forgotten_salt is
'The key of the hashes, sealed as credentials are: whoever has the database alone cannot try ids.';

create table if not exists hub.forgotten_persons (
    person_id text primary key,
    timing_partner_id integer not null,
    was_published boolean not null,
    forgotten_at timestamptz not null,
    forgotten_by text not null
);
comment on table hub.forgotten_persons is 'Ids whose persons were forgotten; none is given out again.';

create table if not exists hub.forgotten_due (
    record_key text primary key
);
comment on table hub.forgotten_due is
'Records that are erased here and not yet from the linkage''s file; the next cycle does that and forgets them.';

create or replace function hub.forgotten_hash(key text) returns bytea language sql stable as $body$
    -- HMAC-SHA256 of RFC 2104, since pgcrypto is not everywhere. The setting holds the two padded keys.
    select sha256(
        decode(substr(current_setting('p88.forgotten_key', true), 129), 'hex')
        || sha256(
            decode(substr(current_setting('p88.forgotten_key', true), 1, 128), 'hex') || convert_to(key, 'UTF8')
        )
    )
$body$;
revoke execute on function hub.forgotten_hash(text) from public;
