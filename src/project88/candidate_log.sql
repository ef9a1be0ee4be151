-- What changed in the candidate relations since the last publish, and how many rows they hold: kept by triggers, so that
-- neither the gate nor the publish scans a table to find out. Idempotent: run by project88.candidate_log.ensure.

create table if not exists hub.candidate_changes (
    relation text not null,
    row_key text not null,
    primary key (relation, row_key)
);
comment on table hub.candidate_changes is
'Keys of candidate rows inserted, deleted or changed since the last publish, as hub.quarantine writes keys.';

create table if not exists hub.candidate_wholes (
    relation text primary key
);
comment on table hub.candidate_wholes is
'Candidate relations of which everything is to be judged and compared: rebuilt, emptied, or changed for the most part.';

create table if not exists hub.candidate_counts (
    relation text not null,
    source_provider text,
    timing_partner_id integer,
    rows bigint not null,
    present bigint not null,
    nulls jsonb not null,
    newest timestamptz,
    unique nulls not distinct (relation, source_provider, timing_partner_id)
);
comment on table hub.candidate_counts is
'Rows of each candidate relation; present: not removed; nulls: missing values of watched columns among those present;
newest: the latest fetched_date ever counted.';

create table if not exists hub.published_counts (
    relation text primary key,
    rows bigint not null
);
comment on table hub.published_counts is
'Rows of each published relation, kept by the publish in its own transaction.';

create table if not exists hub.quarantine_changes (
    relation text not null,
    row_key text not null,
    primary key (relation, row_key)
);
comment on table hub.quarantine_changes is
'Keys that some rule began or ceased to hold back since the last publish.';

create or replace function hub.log_quarantine() returns trigger language plpgsql as $body$
begin
    if tg_op = 'INSERT' then
        insert into hub.quarantine_changes (relation, row_key)
        select distinct n.relation, n.row_key from new_rows as n where n.resolved_at is null
        on conflict do nothing;
    elsif tg_op = 'DELETE' then
        insert into hub.quarantine_changes (relation, row_key)
        select distinct o.relation, o.row_key from old_rows as o where o.resolved_at is null
        on conflict do nothing;
    elsif tg_op = 'UPDATE' then
        insert into hub.quarantine_changes (relation, row_key)
        select moved.relation, moved.row_key
        from new_rows as n
        inner join old_rows as o on n.quarantine_id = o.quarantine_id
        cross join lateral (values (o.relation, o.row_key), (n.relation, n.row_key)) as moved (relation, row_key)
        where
            (o.relation, o.row_key, o.resolved_at is null)
            is distinct from (n.relation, n.row_key, n.resolved_at is null)
        group by 1, 2
        on conflict do nothing;
    else
        -- Emptied: which rows were held is not known any more.
        insert into hub.candidate_wholes (relation)
        select c.relname from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where t.tgname = 'candidate_log_truncate'
        on conflict do nothing;
    end if;
    return null;
end
$body$;
revoke execute on function hub.log_quarantine() from public;

create or replace trigger quarantine_log_insert after insert on hub.quarantine
referencing new table as new_rows for each statement execute function hub.log_quarantine();
create or replace trigger quarantine_log_update after update on hub.quarantine
referencing old table as old_rows new table as new_rows for each statement execute function hub.log_quarantine();
create or replace trigger quarantine_log_delete after delete on hub.quarantine
referencing old table as old_rows for each statement execute function hub.log_quarantine();
create or replace trigger quarantine_log_truncate after truncate on hub.quarantine
for each statement execute function hub.log_quarantine();
