-- What the gate keeps between runs. Idempotent: run by `expectations.runner.ensure_tables`.
create schema if not exists hub;

-- Views that one run of the gate judges; made when it starts and dropped when it ends.
create schema if not exists gate;

-- What a run counted, per relation, partner and provider. `facts` holds for each watched column how many
-- values were missing: {"first_name": {"nulls": 3, "recent_nulls": 1}}.
create table if not exists hub.gate_measures (
    run_id text not null,
    stage text not null,
    relation text not null,
    source_provider text not null,
    timing_partner_id integer not null,
    rows bigint not null,
    live bigint not null,
    quarantined bigint not null default 0,
    recent bigint not null default 0,
    newest timestamptz,
    facts jsonb not null default '{}',
    measured_at timestamptz not null,
    primary key (run_id, stage, relation, source_provider, timing_partner_id)
);

-- The same numbers as they were at the last publish: what "suddenly" is compared with.
create table if not exists hub.gate_baselines (
    stage text not null,
    relation text not null,
    source_provider text not null,
    timing_partner_id integer not null,
    rows bigint not null,
    live bigint not null,
    quarantined bigint not null default 0,
    newest timestamptz,
    facts jsonb not null default '{}',
    run_id text not null,
    accepted_at timestamptz not null,
    primary key (stage, relation, source_provider, timing_partner_id)
);

-- An operator's word that a stop is expected. Good for one publish: `used_at` is set by the publish itself.
create table if not exists hub.gate_waivers (
    waiver_id bigint generated always as identity primary key,
    rule text not null,
    timing_partner_id integer,
    source_provider text,
    relation text,
    reason text not null,
    until timestamptz not null,
    created_at timestamptz not null,
    honoured_run_id text,
    used_at timestamptz
);

-- 'stop', 'quarantine' or 'warn': a warning is a failed rule that holds nothing back.
alter table if exists hub.gate_results add column if not exists severity text;
-- What passed is deleted after some days.
create index if not exists gate_results_checked_at on hub.gate_results (checked_at);

-- Rows that arrived until then, as far as they were counted: what missing values are a share of. In baselines made
-- before there was such a number it is null, and the live rows stand in for it.
alter table hub.gate_measures add column if not exists arrivals bigint;
alter table hub.gate_baselines add column if not exists arrivals bigint;

-- By which version of a suite, and on which day, the rows of the last publish were judged. `next_…` is what a run used
-- that is not published yet.
create table if not exists hub.gate_suites (
    name text primary key,
    fingerprint text,
    judged_on date,
    next_fingerprint text,
    next_judged_on date,
    next_run_id text
);
