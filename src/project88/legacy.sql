-- The older system's relations, under its names, columns, types and order, so that its SQL goes on running.
-- Each is a security_invoker view: a role sees through it what it sees in the tables below, its own partner's rows.
-- Its `timestamp` columns are UTC wall time. `created_at` is when a row was first published, `credentials_used` the
-- name of the partner's account with the provider (null where there are several), never a secret.
-- They have no column to say that an entry is gone, so what a provider lists no longer is left out; the unified
-- relations keep it.
-- An id is unique within a timing partner only: two partners may work one race under the provider's same ids.

create or replace view unified.runsignup_events with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'runsignup'
    group by timing_partner_id
    having count(*) = 1
)

select
    e.event_id::integer as event_id,
    e.occasion_id::integer as race_id,
    e.event_name as name,
    e.provider_fields ->> 'details' as details,
    e.starts_at at time zone 'UTC' as start_time,
    e.ends_at at time zone 'UTC' as end_time,
    (e.provider_fields ->> 'age_calc_base_date')::date as age_calc_base_date,
    e.registration_opens_at at time zone 'UTC' as registration_opens,
    e.event_type,
    -- The number that the provider wrote, whatever its unit ('13.1 Miles'); unified_races has metres.
    substring(
        e.provider_fields ->> 'distance' from '^\s*([0-9]{1,8}(?:\.[0-9]+)?)(?![0-9,])'
    )::numeric(10, 2) as distance,
    (e.provider_fields ->> 'volunteer')::boolean as volunteer,
    (e.provider_fields ->> 'require_dob')::boolean as require_dob,
    (e.provider_fields ->> 'require_phone')::boolean as require_phone,
    e.provider_fields ->> 'giveaway' as giveaway,
    e.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    e.timing_partner_id,
    e.first_published_at at time zone 'UTC' as created_at
from unified.unified_events as e
left join accounts as c on e.timing_partner_id = c.timing_partner_id
where e.source_provider = 'runsignup';

create or replace view unified.runsignup_participants with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'runsignup'
    group by timing_partner_id
    having count(*) = 1
)

select
    p.id::integer as id,
    (p.provider_fields ->> 'race_id')::integer as race_id,
    p.event_id::integer as event_id,
    p.participant_id::integer as registration_id,
    (p.provider_fields ->> 'user_id')::integer as user_id,
    p.first_name,
    p.middle_name,
    p.last_name,
    p.email,
    nullif(p.provider_fields -> 'address', 'null') as address,
    p.birth_date as dob,
    p.gender,
    p.phone_as_sent as phone,
    p.provider_fields ->> 'profile_image_url' as profile_image_url,
    p.bib_number as bib_num,
    p.provider_fields ->> 'chip_num' as chip_num,
    coalesce(p.age_as_sent, p.age) as age,
    p.registration_date at time zone 'UTC' as registration_date,
    nullif(p.provider_fields -> 'team_info', 'null') as team_info,
    nullif(p.provider_fields -> 'payment_info', 'null') as payment_info,
    nullif(p.provider_fields -> 'additional_data', 'null') as additional_data,
    p.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    p.timing_partner_id,
    p.first_published_at at time zone 'UTC' as created_at,
    p.race_fee::numeric(10, 2) as race_fee,
    p.amount_paid::numeric(10, 2) as amount_paid,
    p.team_name,
    p.provider_fields ->> 'fundraiser_charity_name' as fundraiser_charity_name
from unified.unified_participants as p
left join accounts as c on p.timing_partner_id = c.timing_partner_id
where p.source_provider = 'runsignup' and p.is_removed is not true;

create or replace view unified.ct_events with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'chronotrack'
    group by timing_partner_id
    having count(*) = 1
)

select
    e.event_id,
    e.event_name,
    e.starts_at at time zone 'UTC' as event_start_time,
    e.event_type,
    nullif(e.provider_fields -> 'location', 'null') as location,
    e.timing_partner_id,
    e.first_published_at at time zone 'UTC' as created_at,
    c.account as credentials_used
from unified.unified_events as e
left join accounts as c on e.timing_partner_id = c.timing_partner_id
where e.source_provider = 'chronotrack';

create or replace view unified.ct_participants with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'chronotrack'
    group by timing_partner_id
    having count(*) = 1
)

select
    p.participant_id as entry_id,
    p.event_id,
    p.race_id,
    p.external_id as entry_external_id,
    p.provider_fields ->> 'entry_name' as entry_name,
    p.provider_fields ->> 'entry_type' as entry_type,
    p.status_as_sent as entry_status,
    p.bib_number as entry_bib,
    coalesce(p.age_as_sent, p.age) as entry_race_age,
    p.provider_fields ->> 'athlete_id' as athlete_id,
    p.first_name as athlete_first_name,
    p.last_name as athlete_last_name,
    p.gender as athlete_sex,
    p.birth_date as athlete_birthdate,
    p.email as athlete_email,
    p.provider_fields ->> 'athlete_home_phone' as athlete_home_phone,
    p.provider_fields ->> 'athlete_mobile_phone' as athlete_mobile_phone,
    nullif(p.provider_fields -> 'location', 'null') as location,
    p.team_id,
    p.team_name,
    p.timing_partner_id,
    p.first_published_at at time zone 'UTC' as created_at,
    c.account as credentials_used
from unified.unified_participants as p
left join accounts as c on p.timing_partner_id = c.timing_partner_id
where p.source_provider = 'chronotrack' and p.status is distinct from 'removed';

create or replace view unified.ct_results with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'chronotrack'
    group by timing_partner_id
    having count(*) = 1
)

select
    r.id::integer as id,
    r.event_id,
    r.bib_number as results_bib,
    r.first_name as results_first_name,
    r.last_name as results_last_name,
    r.gender as results_sex,
    r.age as results_age,
    r.results_time,
    r.results_gun_time,
    r.overall_place as results_rank,
    r.timing_partner_id,
    r.first_published_at at time zone 'UTC' as created_at,
    c.account as credentials_used
from unified.unified_results as r
left join accounts as c on r.timing_partner_id = c.timing_partner_id
where r.source_provider = 'chronotrack' and r.is_removed is not true;

-- The relations of the four providers that came later. Race Roster's event ids are text, as it sends them. Where the older
-- system had one row per event with a distance in it, the distance and the race are told where the event has one race.

create or replace view unified.raceroster_events with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'raceroster'
    group by timing_partner_id
    having count(*) = 1
)

select
    e.event_id,
    substring(race.race_id from '^[0-9]{1,9}$')::integer as race_id,
    e.event_name as name,
    e.provider_fields ->> 'description' as description,
    e.starts_at at time zone 'UTC' as start_date,
    e.ends_at at time zone 'UTC' as end_date,
    coalesce(e.provider_fields ->> 'location_name', e.city, e.provider_fields ->> 'address') as location_name,
    jsonb_strip_nulls(jsonb_build_object(
        'address', e.provider_fields -> 'address',
        'city', e.city,
        'region', e.state,
        'country', e.country
    )) as address,
    e.time_zone as timezone,
    (race.distance_m / 1000)::numeric(10, 2) as distance,
    coalesce(e.event_type, race.race_type) as event_type,
    e.registration_opens_at at time zone 'UTC' as registration_open_date,
    case
        when e.provider_fields ->> 'registration_close_date' ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d'
            then (e.provider_fields ->> 'registration_close_date')::timestamptz at time zone 'UTC'
    end as registration_close_date,
    substring(e.provider_fields ->> 'max_participants' from '^[0-9]{1,9}$')::integer as max_participants,
    substring(e.provider_fields ->> 'current_participants' from '^[0-9]{1,9}$')::integer as current_participants,
    substring(e.provider_fields ->> 'price' from '^[0-9]{1,8}(?:\.[0-9]+)?$')::numeric(10, 2) as price,
    e.provider_fields ->> 'currency' as currency,
    coalesce(e.provider_fields ->> 'status', e.status) as status,
    e.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    e.timing_partner_id,
    e.first_published_at at time zone 'UTC' as created_at
from unified.unified_events as e
left join accounts as c on e.timing_partner_id = c.timing_partner_id
left join lateral (
    select
        min(r.race_id) as race_id,
        min(r.distance_m) as distance_m,
        min(r.race_type) as race_type
    from unified.unified_races as r
    -- Crews and shirts are sub-events too, without a length.
    where r.event_key = e.event_key and r.distance_m is not null
    having count(*) = 1
) as race on true
where e.source_provider = 'raceroster';

create or replace view unified.raceroster_participants with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'raceroster'
    group by timing_partner_id
    having count(*) = 1
)

select
    p.id::integer as id,
    p.event_id,
    substring(p.provider_fields ->> 'registration_id' from '^[0-9]{1,9}$')::integer as registration_id,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.email,
    p.phone_as_sent as phone,
    p.birth_date as date_of_birth,
    p.gender,
    nullif(p.provider_fields -> 'address', 'null') as address,
    nullif(p.provider_fields -> 'emergency_contact', 'null') as emergency_contact,
    p.team_name,
    p.division,
    p.registration_date at time zone 'UTC' as registration_date,
    p.status_as_sent as registration_status,
    p.provider_fields ->> 'payment_status' as payment_status,
    p.amount_paid::numeric(10, 2) as amount_paid,
    nullif(
        p.provider_fields - array['address', 'emergency_contact', 'payment_status', 'registration_id'], '{}'
    ) as additional_info,
    p.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    p.timing_partner_id,
    p.first_published_at at time zone 'UTC' as created_at
from unified.unified_participants as p
left join accounts as c on p.timing_partner_id = c.timing_partner_id
where p.source_provider = 'raceroster' and p.status is distinct from 'removed';

create or replace view unified.haku_events with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'haku'
    group by timing_partner_id
    having count(*) = 1
)

select
    e.event_id,
    e.event_name,
    -- Of some events only the day is told.
    coalesce(e.starts_at at time zone 'UTC', e.event_date::timestamp) as start_date,
    e.ends_at at time zone 'UTC' as end_date,
    coalesce(e.provider_fields ->> 'location_name', e.provider_fields #>> '{location,name}', e.city) as location,
    coalesce(e.event_type, race.race_type) as event_type,
    (race.distance_m / 1000)::numeric(10, 2) as distance,
    substring(e.provider_fields ->> 'registration_limit' from '^[0-9]{1,9}$')::integer as max_participants,
    substring(e.provider_fields ->> 'base_price' from '^[0-9]{1,8}(?:\.[0-9]+)?$')::numeric(10, 2) as registration_fee,
    e.provider_fields ->> 'currency' as currency,
    coalesce(e.provider_fields ->> 'status', e.status) as status,
    e.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    e.timing_partner_id,
    e.first_published_at at time zone 'UTC' as created_at
from unified.unified_events as e
left join accounts as c on e.timing_partner_id = c.timing_partner_id
left join lateral (
    select
        min(r.race_id) as race_id,
        min(r.distance_m) as distance_m,
        min(r.race_type) as race_type
    from unified.unified_races as r
    where r.event_key = e.event_key
    having count(*) = 1
) as race on true
where e.source_provider = 'haku';

create or replace view unified.haku_participants with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'haku'
    group by timing_partner_id
    having count(*) = 1
)

select
    p.id::integer as id,
    p.event_id,
    p.participant_id,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.email,
    p.phone_as_sent as phone,
    p.birth_date as date_of_birth,
    p.gender,
    p.nationality,
    nullif(p.provider_fields -> 'emergency_contact', 'null') as emergency_contact,
    p.team_name as team_affiliation,
    p.provider_fields ->> 'category' as category,
    p.registration_date at time zone 'UTC' as registration_date,
    p.provider_fields ->> 'payment_status' as payment_status,
    p.amount_paid::numeric(10, 2) as amount_paid,
    p.provider_fields ->> 'special_requirements' as special_requirements,
    p.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    p.timing_partner_id,
    p.first_published_at at time zone 'UTC' as created_at
from unified.unified_participants as p
left join accounts as c on p.timing_partner_id = c.timing_partner_id
where p.source_provider = 'haku' and p.status is distinct from 'removed';

-- Let's Do This has no documented tables: they follow Haku's.
create or replace view unified.letsdothis_events with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'letsdothis'
    group by timing_partner_id
    having count(*) = 1
)

select
    e.event_id,
    e.event_name,
    e.starts_at at time zone 'UTC' as start_date,
    e.ends_at at time zone 'UTC' as end_date,
    coalesce(e.provider_fields ->> 'location_name', e.provider_fields #>> '{location,name}', e.city) as location,
    coalesce(e.event_type, race.race_type) as event_type,
    (race.distance_m / 1000)::numeric(10, 2) as distance,
    substring(e.provider_fields ->> 'registration_limit' from '^[0-9]{1,9}$')::integer as max_participants,
    substring(e.provider_fields ->> 'base_price' from '^[0-9]{1,8}(?:\.[0-9]+)?$')::numeric(10, 2) as registration_fee,
    e.provider_fields ->> 'currency' as currency,
    coalesce(e.provider_fields ->> 'status', e.status) as status,
    e.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    e.timing_partner_id,
    e.first_published_at at time zone 'UTC' as created_at
from unified.unified_events as e
left join accounts as c on e.timing_partner_id = c.timing_partner_id
left join lateral (
    select
        min(r.race_id) as race_id,
        min(r.distance_m) as distance_m,
        min(r.race_type) as race_type
    from unified.unified_races as r
    where r.event_key = e.event_key
    having count(*) = 1
) as race on true
where e.source_provider = 'letsdothis';

create or replace view unified.letsdothis_participants with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'letsdothis'
    group by timing_partner_id
    having count(*) = 1
)

select
    p.id::integer as id,
    p.event_id,
    p.participant_id,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.email,
    p.phone_as_sent as phone,
    p.birth_date as date_of_birth,
    p.gender,
    p.nationality,
    nullif(p.provider_fields -> 'emergency_contact', 'null') as emergency_contact,
    p.team_name as team_affiliation,
    p.provider_fields ->> 'ticketTitle' as category,
    p.registration_date at time zone 'UTC' as registration_date,
    p.status_as_sent as payment_status,
    p.amount_paid::numeric(10, 2) as amount_paid,
    p.provider_fields ->> 'special_requirements' as special_requirements,
    p.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    p.timing_partner_id,
    p.first_published_at at time zone 'UTC' as created_at
from unified.unified_participants as p
left join accounts as c on p.timing_partner_id = c.timing_partner_id
where p.source_provider = 'letsdothis' and p.status is distinct from 'removed';

create or replace view unified.copernico_events with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'copernico'
    group by timing_partner_id
    having count(*) = 1
)

select
    e.event_id,
    e.event_name,
    coalesce(e.starts_at at time zone 'UTC', e.event_date) as event_date,
    coalesce(e.provider_fields ->> 'location', e.city) as location,
    e.provider_fields ->> 'discipline' as discipline,
    (race.distance_m / 1000)::numeric(10, 2) as distance,
    coalesce(e.event_type, race.race_type) as event_type,
    e.provider_fields ->> 'organization_id' as organizer,
    coalesce(e.provider_fields ->> 'status', e.status) as status,
    substring(e.provider_fields ->> 'max_participants' from '^[0-9]{1,9}$')::integer as max_participants,
    substring(e.provider_fields ->> 'registration_fee' from '^[0-9]{1,8}(?:\.[0-9]+)?$')::numeric(10, 2) as registration_fee,
    e.provider_fields ->> 'currency' as currency,
    e.first_published_at at time zone 'UTC' as created_at,
    e.published_at at time zone 'UTC' as updated_at,
    e.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    e.timing_partner_id
from unified.unified_events as e
left join accounts as c on e.timing_partner_id = c.timing_partner_id
left join lateral (
    select
        min(r.race_id) as race_id,
        min(r.distance_m) as distance_m,
        min(r.race_type) as race_type
    from unified.unified_races as r
    where r.event_key = e.event_key
    having count(*) = 1
) as race on true
where e.source_provider = 'copernico';

create or replace view unified.copernico_participants with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'copernico'
    group by timing_partner_id
    having count(*) = 1
)

select
    p.id::integer as id,
    p.event_id,
    p.participant_id,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.birth_date as date_of_birth,
    p.gender,
    p.nationality,
    p.team_name as club_team,
    p.division as category,
    p.provider_fields ->> 'license_number' as license_number,
    coalesce(p.status_as_sent, p.status) as registration_status,
    p.first_published_at at time zone 'UTC' as created_at,
    p.published_at at time zone 'UTC' as updated_at,
    p.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    p.timing_partner_id
from unified.unified_participants as p
left join accounts as c on p.timing_partner_id = c.timing_partner_id
where p.source_provider = 'copernico' and p.status is distinct from 'removed';

create or replace view unified.copernico_results with (security_invoker = true) as
with accounts as (
    select
        timing_partner_id,
        min(account) as account
    from hub.connections
    where provider_name = 'copernico'
    group by timing_partner_id
    having count(*) = 1
)

select
    r.id::integer as id,
    r.event_id,
    r.participant_id,
    r.bib_number,
    r.first_name,
    r.last_name,
    r.provider_fields ->> 'category' as category,
    case
        when r.provider_fields ->> 'start_time' ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d'
            then (r.provider_fields ->> 'start_time')::timestamptz at time zone 'UTC'
    end as start_time,
    case
        when r.provider_fields ->> 'finish_time' ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d'
            then (r.provider_fields ->> 'finish_time')::timestamptz at time zone 'UTC'
    end as finish_time,
    make_interval(secs => coalesce(r.chip_seconds, r.gun_seconds)::double precision) as total_time,
    r.splits as split_times,
    r.overall_place as overall_position,
    substring(r.provider_fields ->> 'category_position' from '^[0-9]{1,9}$')::integer as category_position,
    r.status,
    r.first_published_at at time zone 'UTC' as created_at,
    r.published_at at time zone 'UTC' as updated_at,
    r.fetched_date at time zone 'UTC' as fetched_date,
    c.account as credentials_used,
    r.timing_partner_id
from unified.unified_results as r
left join accounts as c on r.timing_partner_id = c.timing_partner_id
where r.source_provider = 'copernico' and r.is_removed is not true;

create or replace view unified.timing_partners with (security_invoker = true) as
select
    timing_partner_id,
    company_name,
    contact_email,
    api_access_enabled,
    created_at at time zone 'UTC' as created_at
from hub.timing_partners;

create or replace view unified.providers with (security_invoker = true) as
select
    id,
    provider_name,
    provider_type,
    api_base_url,
    rate_limit_per_hour,
    created_at at time zone 'UTC' as created_at
from hub.providers;

create or replace view unified.users with (security_invoker = true) as
select
    id,
    username,
    email,
    -- Documented, and never shown.
    null::text as password_hash,
    timing_partner_id,
    role,
    created_at at time zone 'UTC' as created_at
from hub.users;

create or replace view unified.partner_provider_credentials with (security_invoker = true) as
select
    c.connection_id as partner_provider_credential_id,
    c.timing_partner_id,
    p.id as provider_id,
    c.provider_name,
    c.account,
    -- That there is a secret may be known, the secret never.
    c.has_secrets as has_secret,
    c.enabled as is_active,
    c.created_at at time zone 'UTC' as created_at
from hub.connections as c
inner join hub.providers as p on c.provider_name = p.provider_name;

create or replace view unified.sync_queue with (security_invoker = true) as
select
    id,
    timing_partner_id,
    provider_name,
    sync_type,
    priority,
    status,
    scheduled_for at time zone 'UTC' as scheduled_for,
    retry_count,
    max_retries,
    payload,
    created_at at time zone 'UTC' as created_at
from hub.sync_queue;

create or replace view unified.sync_history with (security_invoker = true) as
select
    id,
    timing_partner_id,
    provider_name,
    sync_type,
    status,
    records_processed,
    started_at at time zone 'UTC' as started_at,
    completed_at at time zone 'UTC' as completed_at,
    error_message,
    created_at at time zone 'UTC' as created_at
from hub.sync_history;

-- Ours, beside the older system's: what the gate held back and holds back, for partners and notebooks; never the record.
create or replace view unified.quarantine with (security_invoker = true) as
select
    quarantine_id,
    timing_partner_id,
    source_provider,
    stage,
    relation,
    row_key,
    rule,
    reason,
    first_seen_at,
    last_seen_at,
    resolved_at
from hub.quarantine;

-- Ours as well: whose each result is. An entry's result is its entry's person's, another has been linked by itself.
create or replace view unified.result_persons with (security_invoker = true) as
select
    results.result_key,
    results.timing_partner_id,
    entries.global_participant_id,
    entries.person_confidence
from unified.unified_results as results
inner join unified.unified_participants as entries on results.participant_key = entries.participant_key
union all
select
    results.result_key,
    results.timing_partner_id,
    results.global_participant_id,
    results.person_confidence
from unified.results_without_entry as results;
