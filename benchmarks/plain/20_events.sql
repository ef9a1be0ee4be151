-- Events, races, divisions, timing points.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create table unified_events as
select
    event_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
    event_id,
    event_name,
    occasion_id,
    occasion_name,
    event_date,
    starts_at,
    ends_at,
    registration_opens_at,
    time_zone,
    event_type,
    city,
    state,
    country,
    status,
    provider_fields,
    fetched_date
from int_runsignup_events_with_race
union all
select
    event_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
    event_id,
    event_name,
    occasion_id,
    occasion_name,
    event_date,
    starts_at,
    ends_at,
    registration_opens_at,
    time_zone,
    event_type,
    city,
    state,
    country,
    status,
    provider_fields,
    fetched_date
from int_chronotrack_events_dated;
alter table unified_events add primary key (event_key);
analyze unified_events;

create table unified_races as
select
    race_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_name,
    distance_m,
    race_type,
    starts_at,
    started_at,
    time_zone,
    status,
    provider_fields,
    fetched_date
from int_runsignup_races_of_events
union all
select
    race_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_name,
    distance_m,
    race_type,
    starts_at,
    started_at,
    time_zone,
    status,
    provider_fields,
    fetched_date
from int_chronotrack_races_in_event;
alter table unified_races add primary key (race_key);
analyze unified_races;

create table unified_divisions as
select
    division_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_key,
    division_id,
    division_name,
    division_type,
    provider_fields,
    fetched_date
from int_chronotrack_brackets_placed;
alter table unified_divisions add primary key (division_key);
analyze unified_divisions;

create table unified_timing_points as
select
    timing_point_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_key,
    timing_point_id,
    timing_point_name,
    distance_m,
    is_finish,
    provider_fields,
    fetched_date
from int_chronotrack_intervals_placed;
alter table unified_timing_points add primary key (timing_point_key);
analyze unified_timing_points;
