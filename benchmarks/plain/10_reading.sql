-- How each provider's raw rows are read: views, as plain as in the models. The days of events are few and asked for by
-- every other table: made once.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create view stg_chronotrack__brackets as
select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    bracket_id as division_id,
    nullif(trim(event_id), '') as event_id,
    nullif(trim(race_id), '') as race_id,
    -- facts
    nullif(trim(bracket_name), '') as division_name,
    nullif(trim(bracket_type), '') as division_type,
    bracket_wants_leaderboard as wants_leaderboard,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_chronotrack.brackets;

create view stg_chronotrack__entries as
select
    *,
    (
        select
            case
                when translate(sent.phone, ' -.()', '') ~ (sent.region ->> 'as_dialled')
                    then
                        '+' || (sent.region ->> 'calling_code')
                        || case
                            when starts_with(translate(sent.phone, ' -.()', ''), sent.region ->> 'inland_digits')
                                then substr(translate(sent.phone, ' -.()', ''), length(sent.region ->> 'inland_digits') + 1)
                            else translate(sent.phone, ' -.()', '')
                        end
                when sent.phone is not null then (
        select
            case
                -- Or where the regions that share the code have it: an American in Jamaica writes no plus either.
                when
                    stripped.digits ~ (stripped.region ->> 'number_pattern')
                    or stripped.digits ~ (
                        stripped.of_all -> (stripped.region ->> 'calling_code') ->> 'number_pattern'
                    )
                    then '+' || (stripped.region ->> 'calling_code') || stripped.digits
            end
        from (
            -- The prefix that is dialled inland only, where what is left is a number.
            select
                known.of_all,
                known.region,
                case
        when known.region ->> 'prefix_inland' is null or known.digits !~ (known.region ->> 'prefix_inland') then known.digits
        when
            known.digits ~ (known.region ->> 'number_pattern')
            and regexp_replace(
            known.digits,
            known.region ->> 'prefix_inland',
            case
                when (regexp_match(known.digits, known.region ->> 'prefix_inland'))[
                    array_length(regexp_match(known.digits, known.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(known.region ->> 'prefix_becomes', '')
                else ''
            end
        ) !~ (known.region ->> 'number_pattern')
            then known.digits
        else regexp_replace(
            known.digits,
            known.region ->> 'prefix_inland',
            case
                when (regexp_match(known.digits, known.region ->> 'prefix_inland'))[
                    array_length(regexp_match(known.digits, known.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(known.region ->> 'prefix_becomes', '')
                else ''
            end
        )
    end as digits
            from (
                -- A number that begins with the country's own code, without the plus.
                select
                    own.of_all,
                    case when own.is_with_code then own.of_all -> (own.region ->> 'calling_code') else own.region end
                        as region,
                    case when own.is_with_code then own.without_code else own.digits end as digits
                from (
                    select
                        placed.*,
                        not placed.is_abroad
                        and starts_with(placed.digits, placed.region ->> 'calling_code')
                        and (
                            length(placed.digits) > (placed.region ->> 'longest')::int
                            or (
                                placed.digits !~ (placed.region ->> 'number_pattern')
                                and placed.without_code ~ (placed.region ->> 'number_pattern')
                            )
                        ) as is_with_code
                    from (
                        select
                            coded.of_all,
                            coded.region,
                            coded.is_abroad,
                            case
                                when coded.is_abroad then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
                                else coded.digits
                            end as digits,
                            case
                                when
                                    not coded.is_abroad
                                    and starts_with(coded.digits, coded.region ->> 'calling_code')
                                    then case
        when coded.region ->> 'prefix_inland' is null or substr(coded.digits, length(coded.region ->> 'calling_code') + 1) !~ (coded.region ->> 'prefix_inland') then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
        when
            substr(coded.digits, length(coded.region ->> 'calling_code') + 1) ~ (coded.region ->> 'number_pattern')
            and regexp_replace(
            substr(coded.digits, length(coded.region ->> 'calling_code') + 1),
            coded.region ->> 'prefix_inland',
            case
                when (regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'))[
                    array_length(regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(coded.region ->> 'prefix_becomes', '')
                else ''
            end
        ) !~ (coded.region ->> 'number_pattern')
            then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
        else regexp_replace(
            substr(coded.digits, length(coded.region ->> 'calling_code') + 1),
            coded.region ->> 'prefix_inland',
            case
                when (regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'))[
                    array_length(regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(coded.region ->> 'prefix_becomes', '')
                else ''
            end
        )
    end
                            end as without_code
                        from (
                            -- No code of a country begins another.
                            select
                                dialled.of_all,
                                dialled.is_abroad,
                                dialled.digits,
                                case
                                    when dialled.is_abroad
                                        then coalesce(
                                            dialled.of_all -> left(dialled.digits, 1),
                                            dialled.of_all -> left(dialled.digits, 2),
                                            dialled.of_all -> left(dialled.digits, 3)
                                        )
                                    else dialled.region
                                end as region
                            from (
                                select
                                    written.of_all,
                                    written.region,
                                    starts_with(written.number, '+')
                                    or coalesce(written.number ~ (written.region ->> 'prefix_abroad'), false)
                                        as is_abroad,
                                    case
                                        when starts_with(written.number, '+') then substr(written.number, 2)
                                        else regexp_replace(
                                            written.number, coalesce(written.region ->> 'prefix_abroad', '^'), ''
                                        )
                                    end as digits
                                from (
                                    select
                                        sent.of_all,
                                        sent.region,
                                        regexp_replace(
                                            -- An extension behind it is not part of the number.
                                            regexp_replace(
                                                normalize(sent.phone, nfkc),
                                                '[\s,;]*(x|ext\.?|extension|#|;ext=)[\s.:]*[0-9]{1,7}\s*$',
                                                '',
                                                'i'
                                            ),
                                            -- And what people put between digits; a plus before 00 is one too many.
                                            '[\s()\[\]./~\u00ad\u2010-\u2015\u2212\u200b\u2060-]+|[+](?=\s*00)',
                                            '',
                                            'g'
                                        ) as number
                                    limit 1
                                ) as written
                                where written.number ~ '^[+]?[0-9]{4,18}$'
                                offset 0
                            ) as dialled
                            offset 0
                        ) as coded
                        offset 0
                    ) as placed
                    offset 0
                ) as own
                offset 0
            ) as known
            offset 0
        ) as stripped
    )
            end
        from (
            select
                phone_as_sent as phone,
                regions.of_all -> country as region,
                regions.of_all
            from (select (
            select jsonb_object_agg(keys.name, to_jsonb(regions.*))
            from seeds.phone_regions as regions
            cross join lateral (
                values (regions.region), (case when regions.region = regions.main_region then regions.calling_code end)
            ) as keys (name)
            where keys.name is not null
        ) as of_all) as regions
            offset 0
        ) as sent
    ) as phone
from (
    select
        -- keys
        'chronotrack' as source_provider,
        timing_partner_id,
        -- As sent and under no function: results find their entry by the raw table's primary key.
        entry_id as participant_id,
        event_id,
        nullif(trim(race_id), '') as race_id,
        nullif(trim(athlete_id), '') as athlete_id,
        nullif(trim(entry_external_id), '') as external_id,
        -- facts
        nullif(trim(entry_name), '') as entry_name,
        nullif(trim(entry_type), '') as entry_type,
        nullif(trim(entry_status), '') as status_as_sent,
        nullif(trim(regexp_replace(athlete_first_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as first_name,
        nullif(trim(regexp_replace(athlete_last_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as last_name,
        nullif(trim(athlete_email), '') as email_as_sent,
        -- ChronoTrack invents an address (none+…) where an entry came without one.
        case when athlete_email not ilike 'none+%' then lower(nullif(trim(athlete_email), '')) end as email,
        nullif(trim(athlete_home_phone), '') as home_phone,
        nullif(trim(athlete_mobile_phone), '') as mobile_phone,
        coalesce(nullif(trim(athlete_mobile_phone), ''), nullif(trim(athlete_home_phone), '')) as phone_as_sent,
        nullif(trim(athlete_sex), '') as gender_as_sent,
        case upper(trim(athlete_sex))
            when 'F' then 'F'
            when 'FEMALE' then 'F'
            when 'W' then 'F'
            when 'M' then 'M'
            when 'MALE' then 'M'
            when 'X' then 'X'
            when 'NB' then 'X'
            when 'NON-BINARY' then 'X'
            when 'NONBINARY' then 'X'
            when 'U' then 'U'
            when 'UNDISCLOSED' then 'U'
            when 'PREFER NOT TO SAY' then 'U'
        end as gender,
        athlete_birthdate as birth_date,
        case when entry_race_age between -2147483648 and 2147483647 then entry_race_age::int end as age_as_sent,
        nullif(trim(entry_bib), '') as bib_number,
        nullif(trim(location_street), '') as street,
        nullif(trim(location_city), '') as city,
        nullif(trim(location_region), '') as state,
        nullif(trim(location_postal_code), '') as postal_code,
        nullif(trim(location_country), '') as country_as_sent,
        ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(location_country), '.', '')) ) as country,
        nullif(trim(bracket_name), '') as division,
        nullif(trim(wave_name), '') as wave,
        nullif(trim(race_name), '') as race_name,
        nullif(trim(reg_choice_id), '') as reg_choice_id,
        nullif(trim(reg_choice_name), '') as reg_choice_name,
        nullif(trim(team_id), '') as team_id,
        nullif(trim(regexp_replace(team_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as team_name,
        -- timestamps
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from raw_chronotrack.entries
) as renamed;

create view stg_chronotrack__events as
select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    event_id,
    -- facts
    nullif(trim(regexp_replace(event_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as event_name,
    nullif(trim(event_type), '') as event_type,
    event_is_published as is_published,
    nullif(trim(location_city), '') as city,
    nullif(trim(location_region), '') as state,
    nullif(trim(location_country), '') as country_as_sent,
    ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(location_country), '.', '')) ) as country,
    nullif(trim(location_time_zone), '') as time_zone,
    -- timestamps
    event_start_time as starts_at,
    event_end_time as ends_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_chronotrack.events;

create view stg_chronotrack__intervals as
select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    interval_id as timing_point_id,
    nullif(trim(event_id), '') as event_id,
    nullif(trim(race_id), '') as race_id,
    -- under no function, so that the raw table's index finds a race's intervals
    race_id as race_id_as_sent,
    -- facts
    nullif(trim(interval_name), '') as timing_point_name,
    interval_distance_m as distance_m,
    nullif(trim(race_name), '') as race_name,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_chronotrack.intervals;

create view stg_chronotrack__races as
select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    race_id,
    event_id,
    -- facts
    nullif(trim(regexp_replace(race_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as race_name,
    nullif(trim(race_tag), '') as race_tag,
    nullif(trim(race_type), '') as race_type,
    nullif(trim(race_subtype), '') as race_subtype,
    race_course_distance as distance_m,
    nullif(trim(race_pref_distance_unit), '') as preferred_distance_unit,
    -- timestamps
    race_planned_start_time as starts_at,
    race_planned_end_time as ends_at,
    race_actual_start_time as started_at,
    race_actual_end_time as ended_at,
    race_age_ref_time as ages_count_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_chronotrack.races;

create view stg_chronotrack__rejects as
select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    stream,
    reject_id,
    record_key,
    -- facts
    field,
    reason,
    record,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_chronotrack.rejects;

create view stg_chronotrack__removals as
select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    stream,
    record_key,
    -- timestamps
    case when returned_at is null then noticed_at end as removed_at,
    noticed_at,
    returned_at,
    changed_at,
    changed_xid
from raw_chronotrack.removals;

create view stg_chronotrack__results as
select
    *,
    nullif(
        array_remove(
            array[
                case when chip_time_as_sent is not null and coalesce(chip_seconds::text, case upper(trim(chip_time_as_sent))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end) is null then 'results_time' end,
                case when gun_time_as_sent is not null and coalesce(gun_seconds::text, case upper(trim(gun_time_as_sent))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end) is null then 'results_gun_time' end
            ]::text[],
            null
        ),
        '{}'
    ) as unreadable
from (
    select
        -- keys; as sent and under no function, so that the raw table's primary key finds an entry's rows
        'chronotrack' as source_provider,
        timing_partner_id,
        event_id,
        results_entry_id as participant_id,
        results_interval_id as timing_point_id,
        nullif(trim(results_race_id), '') as race_id,
        -- facts
        coalesce(results_interval_full, false) as is_finish,
        nullif(trim(results_interval_name), '') as timing_point_name,
        nullif(trim(results_bib), '') as bib_number,
        nullif(trim(regexp_replace(results_first_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as first_name,
        nullif(trim(regexp_replace(results_last_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as last_name,
        nullif(trim(results_sex), '') as gender_as_sent,
        case upper(trim(results_sex))
        when 'F' then 'F'
        when 'FEMALE' then 'F'
        when 'W' then 'F'
        when 'M' then 'M'
        when 'MALE' then 'M'
        when 'X' then 'X'
        when 'NB' then 'X'
        when 'NON-BINARY' then 'X'
        when 'NONBINARY' then 'X'
        when 'U' then 'U'
        when 'UNDISCLOSED' then 'U'
        when 'PREFER NOT TO SAY' then 'U'
    end as gender,
        case when results_age between -2147483648 and 2147483647 then results_age::int end as age_as_sent,
        nullif(trim(results_hometown), '') as hometown,
        nullif(trim(results_city), '') as city,
        nullif(trim(results_state_code), '') as state,
        nullif(trim(results_country_code), '') as country_as_sent,
        ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(results_country_code), '.', '')) ) as country,
        nullif(trim(results_race_name), '') as race_name,
        nullif(trim(results_bracket_name), '') as bracket_name,
        nullif(trim(results_primary_bracket_name), '') as primary_bracket_name,
        case when results_rank between -2147483648 and 2147483647 then results_rank::int end as overall_place,
        nullif(trim(results_time), '') as chip_time_as_sent,
        case
        when results_time ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part(results_time, ':', 1)::numeric * 3600
                + split_part(results_time, ':', 2)::numeric * 60
                + split_part(results_time, ':', 3)::numeric
        when results_time ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part(results_time, ':', 1)::numeric * 60 + split_part(results_time, ':', 2)::numeric
    end as chip_seconds,
        nullif(trim(results_gun_time), '') as gun_time_as_sent,
        case
        when results_gun_time ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part(results_gun_time, ':', 1)::numeric * 3600
                + split_part(results_gun_time, ':', 2)::numeric * 60
                + split_part(results_gun_time, ':', 3)::numeric
        when results_gun_time ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part(results_gun_time, ':', 1)::numeric * 60 + split_part(results_gun_time, ':', 2)::numeric
    end as gun_seconds,
        coalesce(case upper(trim(results_time))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end, case upper(trim(results_gun_time))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end) as status_in_time,
        nullif(trim(results_pace), '') as pace,
        nullif(trim(results_gun_pace), '') as gun_pace,
        nullif(trim(results_penalty_time), '') as penalty_time,
        -- timestamps
        results_begin_chip_time as began_at,
        results_end_chip_time as ended_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from raw_chronotrack.results
) as renamed;

create view stg_runsignup__events as
select
    -- keys
    'runsignup' as source_provider,
    timing_partner_id,
    event_id::text as event_id,
    race_id::text as occasion_id,
    race_event_days_id::text as event_day_id,
    -- as the raw table is keyed, so that its indexes serve joins
    event_id as event_number,
    race_id as race_number,
    -- facts
    nullif(trim(regexp_replace(name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as event_name,
    nullif(trim(details), '') as details,
    nullif(trim(event_type), '') as event_type,
    nullif(trim(distance), '') as distance_as_sent,
    case
        when distance ~* '^\s*(full\s+)?marathon\s*$' then 42195
        when distance ~* '^\s*(half[\s-]*marathon|1/2\s+marathon|half)\s*$' then 21097.5
        when distance ~* '^\s*\d{1,6}(\.\d+)?\s*(k|km|kms|kilomet(er|re)s?)\s*$'
            then trim_scale(substring(distance from '\d+\.?\d*')::numeric * 1000)
        when distance ~* '^\s*\d{1,6}(\.\d+)?\s*(mi|mile|miles)\s*$' or distance ~ '^\s*\d{1,6}(\.\d+)?\s*M\s*$'
            then trim_scale(substring(distance from '\d+\.?\d*')::numeric * 1609.344)
        when distance ~* '^\s*\d{1,6}(\.\d+)?\s*(y|yd|yds|yards?)\s*$'
            then trim_scale(substring(distance from '\d+\.?\d*')::numeric * 0.9144)
        when distance ~* '^\s*\d{1,6}(\.\d+)?\s*(met(er|re)s?)\s*$' or distance ~ '^\s*\d{1,6}(\.\d+)?\s*m\s*$'
            then substring(distance from '\d+\.?\d*')::numeric
    end as distance_m,
    volunteer as is_for_volunteers,
    require_dob as requires_birth_date,
    require_phone as requires_phone,
    nullif(trim(giveaway), '') as giveaway,
    age_calc_base_date as ages_count_on,
    nullif(trim(timezone), '') as time_zone,
    -- timestamps
    start_time as starts_at,
    end_time as ends_at,
    registration_opens as registration_opens_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_runsignup.events;

create view stg_runsignup__participants as
select
    *,
    (
        select
            case
                when translate(sent.phone, ' -.()', '') ~ (sent.region ->> 'as_dialled')
                    then
                        '+' || (sent.region ->> 'calling_code')
                        || case
                            when starts_with(translate(sent.phone, ' -.()', ''), sent.region ->> 'inland_digits')
                                then substr(translate(sent.phone, ' -.()', ''), length(sent.region ->> 'inland_digits') + 1)
                            else translate(sent.phone, ' -.()', '')
                        end
                when sent.phone is not null then (
        select
            case
                -- Or where the regions that share the code have it: an American in Jamaica writes no plus either.
                when
                    stripped.digits ~ (stripped.region ->> 'number_pattern')
                    or stripped.digits ~ (
                        stripped.of_all -> (stripped.region ->> 'calling_code') ->> 'number_pattern'
                    )
                    then '+' || (stripped.region ->> 'calling_code') || stripped.digits
            end
        from (
            -- The prefix that is dialled inland only, where what is left is a number.
            select
                known.of_all,
                known.region,
                case
        when known.region ->> 'prefix_inland' is null or known.digits !~ (known.region ->> 'prefix_inland') then known.digits
        when
            known.digits ~ (known.region ->> 'number_pattern')
            and regexp_replace(
            known.digits,
            known.region ->> 'prefix_inland',
            case
                when (regexp_match(known.digits, known.region ->> 'prefix_inland'))[
                    array_length(regexp_match(known.digits, known.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(known.region ->> 'prefix_becomes', '')
                else ''
            end
        ) !~ (known.region ->> 'number_pattern')
            then known.digits
        else regexp_replace(
            known.digits,
            known.region ->> 'prefix_inland',
            case
                when (regexp_match(known.digits, known.region ->> 'prefix_inland'))[
                    array_length(regexp_match(known.digits, known.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(known.region ->> 'prefix_becomes', '')
                else ''
            end
        )
    end as digits
            from (
                -- A number that begins with the country's own code, without the plus.
                select
                    own.of_all,
                    case when own.is_with_code then own.of_all -> (own.region ->> 'calling_code') else own.region end
                        as region,
                    case when own.is_with_code then own.without_code else own.digits end as digits
                from (
                    select
                        placed.*,
                        not placed.is_abroad
                        and starts_with(placed.digits, placed.region ->> 'calling_code')
                        and (
                            length(placed.digits) > (placed.region ->> 'longest')::int
                            or (
                                placed.digits !~ (placed.region ->> 'number_pattern')
                                and placed.without_code ~ (placed.region ->> 'number_pattern')
                            )
                        ) as is_with_code
                    from (
                        select
                            coded.of_all,
                            coded.region,
                            coded.is_abroad,
                            case
                                when coded.is_abroad then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
                                else coded.digits
                            end as digits,
                            case
                                when
                                    not coded.is_abroad
                                    and starts_with(coded.digits, coded.region ->> 'calling_code')
                                    then case
        when coded.region ->> 'prefix_inland' is null or substr(coded.digits, length(coded.region ->> 'calling_code') + 1) !~ (coded.region ->> 'prefix_inland') then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
        when
            substr(coded.digits, length(coded.region ->> 'calling_code') + 1) ~ (coded.region ->> 'number_pattern')
            and regexp_replace(
            substr(coded.digits, length(coded.region ->> 'calling_code') + 1),
            coded.region ->> 'prefix_inland',
            case
                when (regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'))[
                    array_length(regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(coded.region ->> 'prefix_becomes', '')
                else ''
            end
        ) !~ (coded.region ->> 'number_pattern')
            then substr(coded.digits, length(coded.region ->> 'calling_code') + 1)
        else regexp_replace(
            substr(coded.digits, length(coded.region ->> 'calling_code') + 1),
            coded.region ->> 'prefix_inland',
            case
                when (regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'))[
                    array_length(regexp_match(substr(coded.digits, length(coded.region ->> 'calling_code') + 1), coded.region ->> 'prefix_inland'), 1)
                ] is not null
                    then coalesce(coded.region ->> 'prefix_becomes', '')
                else ''
            end
        )
    end
                            end as without_code
                        from (
                            -- No code of a country begins another.
                            select
                                dialled.of_all,
                                dialled.is_abroad,
                                dialled.digits,
                                case
                                    when dialled.is_abroad
                                        then coalesce(
                                            dialled.of_all -> left(dialled.digits, 1),
                                            dialled.of_all -> left(dialled.digits, 2),
                                            dialled.of_all -> left(dialled.digits, 3)
                                        )
                                    else dialled.region
                                end as region
                            from (
                                select
                                    written.of_all,
                                    written.region,
                                    starts_with(written.number, '+')
                                    or coalesce(written.number ~ (written.region ->> 'prefix_abroad'), false)
                                        as is_abroad,
                                    case
                                        when starts_with(written.number, '+') then substr(written.number, 2)
                                        else regexp_replace(
                                            written.number, coalesce(written.region ->> 'prefix_abroad', '^'), ''
                                        )
                                    end as digits
                                from (
                                    select
                                        sent.of_all,
                                        sent.region,
                                        regexp_replace(
                                            -- An extension behind it is not part of the number.
                                            regexp_replace(
                                                normalize(sent.phone, nfkc),
                                                '[\s,;]*(x|ext\.?|extension|#|;ext=)[\s.:]*[0-9]{1,7}\s*$',
                                                '',
                                                'i'
                                            ),
                                            -- And what people put between digits; a plus before 00 is one too many.
                                            '[\s()\[\]./~\u00ad\u2010-\u2015\u2212\u200b\u2060-]+|[+](?=\s*00)',
                                            '',
                                            'g'
                                        ) as number
                                    limit 1
                                ) as written
                                where written.number ~ '^[+]?[0-9]{4,18}$'
                                offset 0
                            ) as dialled
                            offset 0
                        ) as coded
                        offset 0
                    ) as placed
                    offset 0
                ) as own
                offset 0
            ) as known
            offset 0
        ) as stripped
    )
            end
        from (
            select
                phone_as_sent as phone,
                regions.of_all -> country as region,
                regions.of_all
            from (select (
            select jsonb_object_agg(keys.name, to_jsonb(regions.*))
            from seeds.phone_regions as regions
            cross join lateral (
                values (regions.region), (case when regions.region = regions.main_region then regions.calling_code end)
            ) as keys (name)
            where keys.name is not null
        ) as of_all) as regions
            offset 0
        ) as sent
    ) as phone,
    nullif(
        array_remove(
            array[
                case when race_fee_as_sent is not null and race_fee is null then 'race_fee' end,
                case when amount_paid_as_sent is not null and amount_paid is null then 'amount_paid' end
            ]::text[],
            null
        ),
        '{}'
    ) as unreadable
from (
    select
        -- keys
        'runsignup' as source_provider,
        timing_partner_id,
        registration_id::text as participant_id,
        event_id::text as event_id,
        race_id::text as occasion_id,
        user_id::text as user_id,
        -- as the raw table is keyed, so that its indexes serve joins
        registration_id as registration_number,
        event_id as event_number,
        -- facts
        nullif(trim(regexp_replace(first_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as first_name,
        nullif(trim(regexp_replace(middle_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as middle_name,
        nullif(trim(regexp_replace(last_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as last_name,
        lower(nullif(trim(email), '')) as email,
        nullif(trim(phone), '') as phone_as_sent,
        nullif(trim(gender), '') as gender_as_sent,
        case upper(trim(gender))
        when 'F' then 'F'
        when 'FEMALE' then 'F'
        when 'W' then 'F'
        when 'M' then 'M'
        when 'MALE' then 'M'
        when 'X' then 'X'
        when 'NB' then 'X'
        when 'NON-BINARY' then 'X'
        when 'NONBINARY' then 'X'
        when 'U' then 'U'
        when 'UNDISCLOSED' then 'U'
        when 'PREFER NOT TO SAY' then 'U'
    end as gender,
        dob as birth_date,
        case when age between -2147483648 and 2147483647 then age::int end as age_as_sent,
        nullif(trim(bib_num), '') as bib_number,
        nullif(trim(chip_num), '') as chip_number,
        nullif(trim(street), '') as street,
        nullif(trim(city), '') as city,
        nullif(trim(state), '') as state,
        nullif(trim(zipcode), '') as postal_code,
        nullif(trim(country_code), '') as country_as_sent,
        ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(country_code), '.', '')) ) as country,
        nullif(trim(profile_image_url), '') as profile_image_url,
        team_id::text as team_id,
        nullif(trim(regexp_replace(team_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as team_name,
        nullif(trim(giveaway), '') as giveaway,
        nullif(trim(fundraiser_charity_name), '') as fundraiser_charity_name,
        nullif(trim(transaction_id), '') as transaction_id,
        imported as is_imported,
        nullif(trim(race_fee), '') as race_fee_as_sent,
        case
        when race_fee ~ '^ *(- *\$?|\$ *-?)? *(\d{1,3}(,\d{3})+|\d+)(\.\d+)? *$'
            then translate(race_fee, '$, ', '')::numeric
    end as race_fee,
        nullif(trim(processing_fee), '') as processing_fee_as_sent,
        nullif(trim(amount_paid), '') as amount_paid_as_sent,
        case
        when amount_paid ~ '^ *(- *\$?|\$ *-?)? *(\d{1,3}(,\d{3})+|\d+)(\.\d+)? *$'
            then translate(amount_paid, '$, ', '')::numeric
    end as amount_paid,
        record,
        -- timestamps
        registration_date as registered_at,
        last_modified as updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from raw_runsignup.participants
) as renamed;

create view stg_runsignup__races as
select
    -- keys
    'runsignup' as source_provider,
    timing_partner_id,
    race_id::text as occasion_id,
    -- as the raw table is keyed, so that its indexes serve joins
    race_id as race_number,
    -- facts
    nullif(trim(regexp_replace(name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as occasion_name,
    nullif(trim(timezone), '') as time_zone,
    is_draft_race as is_draft,
    is_private_race as is_private,
    nullif(trim(url), '') as url,
    nullif(trim(city), '') as city,
    nullif(trim(state), '') as state,
    nullif(trim(zipcode), '') as postal_code,
    nullif(trim(country_code), '') as country_as_sent,
    ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(country_code), '.', '')) ) as country,
    -- timestamps
    created as created_at,
    last_modified as updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_runsignup.races;

create view stg_runsignup__rejects as
select
    -- keys
    'runsignup' as source_provider,
    timing_partner_id,
    stream,
    reject_id,
    record_key,
    -- facts
    field,
    reason,
    record,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from raw_runsignup.rejects;

create view stg_runsignup__removals as
select
    -- keys
    'runsignup' as source_provider,
    timing_partner_id,
    stream,
    record_key,
    -- timestamps
    case when returned_at is null then noticed_at end as removed_at,
    noticed_at,
    returned_at,
    changed_at,
    changed_xid
from raw_runsignup.removals;

create view stg_runsignup__removed_participants as
select
    *,
    nullif(
        array_remove(
            array[
                case when race_fee_as_sent is not null and race_fee is null then 'race_fee' end,
                case when amount_paid_as_sent is not null and amount_paid is null then 'amount_paid' end
            ]::text[],
            null
        ),
        '{}'
    ) as unreadable
from (
    select
        -- keys
        'runsignup' as source_provider,
        timing_partner_id,
        registration_id::text as participant_id,
        event_id::text as event_id,
        race_id::text as occasion_id,
        new_registration_id::text as successor_id,
        -- as the raw table is keyed, so that its indexes serve joins
        registration_id as registration_number,
        event_id as event_number,
        -- facts
        nullif(trim(removed_reason), '') as removed_reason,
        nullif(trim(regexp_replace(first_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as first_name,
        nullif(trim(regexp_replace(record #>> '{user,middle_name}', '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as middle_name,
        nullif(trim(regexp_replace(last_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as last_name,
        lower(nullif(trim(email), '')) as email,
        nullif(trim(gender), '') as gender_as_sent,
        case upper(trim(gender))
        when 'F' then 'F'
        when 'FEMALE' then 'F'
        when 'W' then 'F'
        when 'M' then 'M'
        when 'MALE' then 'M'
        when 'X' then 'X'
        when 'NB' then 'X'
        when 'NON-BINARY' then 'X'
        when 'NONBINARY' then 'X'
        when 'U' then 'U'
        when 'UNDISCLOSED' then 'U'
        when 'PREFER NOT TO SAY' then 'U'
    end as gender,
        dob as birth_date,
        case when age between -2147483648 and 2147483647 then age::int end as age_as_sent,
        nullif(trim(record #>> '{user,address,city}'), '') as city,
        nullif(trim(record #>> '{user,address,state}'), '') as state,
        nullif(trim(record #>> '{user,address,zipcode}'), '') as postal_code,
        nullif(trim(record #>> '{user,address,country_code}'), '') as country_as_sent,
        ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(record #>> '{user,address,country_code}'), '.', '')) ) as country,
        nullif(trim(record ->> 'race_fee'), '') as race_fee_as_sent,
        case
        when (record ->> 'race_fee') ~ '^ *(- *\$?|\$ *-?)? *(\d{1,3}(,\d{3})+|\d+)(\.\d+)? *$'
            then translate((record ->> 'race_fee'), '$, ', '')::numeric
    end as race_fee,
        nullif(trim(record ->> 'amount_paid'), '') as amount_paid_as_sent,
        case
        when (record ->> 'amount_paid') ~ '^ *(- *\$?|\$ *-?)? *(\d{1,3}(,\d{3})+|\d+)(\.\d+)? *$'
            then translate((record ->> 'amount_paid'), '$, ', '')::numeric
    end as amount_paid,
        record,
        -- timestamps
        registration_date as registered_at,
        last_modified as updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from raw_runsignup.removed_participants
) as renamed;

create view stg_runsignup__results as
select
    *,
    nullif(
        array_remove(
            array[
                case when chip_time_as_sent is not null and coalesce(chip_seconds::text, case upper(trim(chip_time_as_sent))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end) is null then 'chip_time' end,
                case when gun_time_as_sent is not null and coalesce(gun_seconds::text, case upper(trim(gun_time_as_sent))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end) is null then 'clock_time' end
            ]::text[],
            null
        ),
        '{}'
    ) as unreadable
from (
    select
        -- keys
        'runsignup' as source_provider,
        timing_partner_id,
        result_id::text as result_id,
        event_id::text as event_id,
        race_id::text as occasion_id,
        registration_id::text as participant_id,
        result_set_id::text as result_set_id,
        -- as the raw table is keyed, so that its indexes serve joins
        result_id as result_number,
        event_id as event_number,
        registration_id as registration_number,
        -- facts
        nullif(trim(result_set_name), '') as result_set_name,
        is_public,
        is_preliminary,
        nullif(trim(bib), '') as bib_number,
        case when place between -2147483648 and 2147483647 then place::int end as overall_place,
        nullif(trim(regexp_replace(first_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as first_name,
        nullif(trim(regexp_replace(last_name, '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g')), '') as last_name,
        nullif(trim(gender), '') as gender_as_sent,
        case upper(trim(gender))
        when 'F' then 'F'
        when 'FEMALE' then 'F'
        when 'W' then 'F'
        when 'M' then 'M'
        when 'MALE' then 'M'
        when 'X' then 'X'
        when 'NB' then 'X'
        when 'NON-BINARY' then 'X'
        when 'NONBINARY' then 'X'
        when 'U' then 'U'
        when 'UNDISCLOSED' then 'U'
        when 'PREFER NOT TO SAY' then 'U'
    end as gender,
        case when age between -2147483648 and 2147483647 then age::int end as age_as_sent,
        nullif(trim(city), '') as city,
        nullif(trim(state), '') as state,
        nullif(trim(country_code), '') as country_as_sent,
        ( select codes.country_alpha_2 from seeds.country_codes as codes where codes.country_as_written = upper(replace(trim(country_code), '.', '')) ) as country,
        nullif(trim(chip_time), '') as chip_time_as_sent,
        case
        when chip_time ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part(chip_time, ':', 1)::numeric * 3600
                + split_part(chip_time, ':', 2)::numeric * 60
                + split_part(chip_time, ':', 3)::numeric
        when chip_time ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part(chip_time, ':', 1)::numeric * 60 + split_part(chip_time, ':', 2)::numeric
    end as chip_seconds,
        nullif(trim(clock_time), '') as gun_time_as_sent,
        case
        when clock_time ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part(clock_time, ':', 1)::numeric * 3600
                + split_part(clock_time, ':', 2)::numeric * 60
                + split_part(clock_time, ':', 3)::numeric
        when clock_time ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part(clock_time, ':', 1)::numeric * 60 + split_part(clock_time, ':', 2)::numeric
    end as gun_seconds,
        coalesce(case upper(trim(chip_time))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end, case upper(trim(clock_time))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end) as status_in_time,
        nullif(trim(pace), '') as pace,
        splits as splits_as_sent,
        -- timestamps
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from raw_runsignup.results
) as renamed;

create table int_runsignup_events_with_race as
-- What RunSignUp calls an event is a distance, and its race the occasion: here one row per event, with its race.
select
    'runsignup/' || timing_partner_id || '/' || event_id as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_number,
    event_name,
    occasion_id,
    occasion_name,
    (starts_at at time zone event_time_zone)::date as event_date,
    starts_at,
    ends_at,
    registration_opens_at,
    event_time_zone as time_zone,
    event_type,
    distance_m,
    distance_as_sent,
    city,
    state,
    country,
    status,
    currency,
    jsonb_strip_nulls(jsonb_build_object(
        'details', details,
        'age_calc_base_date', ages_count_on,
        'distance', distance_as_sent,
        'volunteer', is_for_volunteers,
        'require_dob', requires_birth_date,
        'require_phone', requires_phone,
        'giveaway', giveaway,
        'race_event_days_id', event_day_id,
        'is_private_race', is_private,
        'url', url,
        'zipcode', postal_code,
        'time_zone_as_sent', case when event_time_zone is null then time_zone_as_sent end,
        'removed_at', removed_at,
        'unreadable', nullif(
        array_remove(
            array[
                case when time_zone_as_sent is not null and event_time_zone is null then 'timezone' end
            ]::text[],
            null
        ),
        '{}'
    )
    )) as provider_fields,
    fetched_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        *,
        case when time_zone_as_sent in (select zones.name from pg_catalog.pg_timezone_names as zones) then time_zone_as_sent end as event_time_zone
    from (
        select
            events.*,
            races.occasion_name,
            races.is_private,
            races.url,
            races.city,
            races.state,
            races.postal_code,
            races.country,
            coalesce(events.time_zone, races.time_zone) as time_zone_as_sent,
            -- A race without its own word about the country may still charge in another dollar.
            case when races.country = 'US' then 'USD' end as currency,
            case
                when coalesce(event_removal.removed_at, race_removal.removed_at) is not null then 'removed'
                when races.is_draft then 'draft'
                else 'scheduled'
            end as status,
            coalesce(event_removal.removed_at, race_removal.removed_at) as removed_at,
            greatest(events.read_at, races.read_at) as fetched_at,
            greatest(
                events.changed_xid, races.changed_xid, event_removal.changed_xid, race_removal.changed_xid
            ) as last_changed_xid
        from stg_runsignup__events as events
        left join stg_runsignup__races as races
            on
                events.timing_partner_id = races.timing_partner_id
                and events.race_number = races.race_number
        left join stg_runsignup__removals as event_removal
            on
                event_removal.stream = 'events'
                and events.timing_partner_id = event_removal.timing_partner_id
                and events.event_id = event_removal.record_key
        left join stg_runsignup__removals as race_removal
            on
                race_removal.stream = 'races'
                and events.timing_partner_id = race_removal.timing_partner_id
                and events.occasion_id = race_removal.record_key
    ) as joined
) as zoned;
analyze int_runsignup_events_with_race;

create table int_chronotrack_events_dated as
-- The day of an event is that of its own zone: a night race in California is a day later in UTC.
select
    'chronotrack/' || timing_partner_id || '/' || event_id as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_name,
    -- ChronoTrack's event is the day itself: occasion and event are one.
    event_id as occasion_id,
    event_name as occasion_name,
    (starts_at at time zone event_time_zone)::date as event_date,
    starts_at,
    ends_at,
    null::timestamptz as registration_opens_at,
    event_time_zone as time_zone,
    event_type,
    city,
    state,
    country,
    case
        when removed_at is not null then 'removed'
        when not is_published then 'draft'
        else 'scheduled'
    end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'location', nullif(jsonb_strip_nulls(jsonb_build_object(
            'city', city,
            'region', state,
            'country', country_as_sent,
            'time_zone', time_zone
        )), '{}'),
        'event_is_published', is_published,
        'time_zone_as_sent', case when event_time_zone is null then time_zone end,
        'removed_at', removed_at,
        'unreadable', nullif(
        array_remove(
            array[
                case when time_zone is not null and event_time_zone is null then 'location_time_zone' end
            ]::text[],
            null
        ),
        '{}'
    )
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        events.*,
        case when events.time_zone in (select zones.name from pg_catalog.pg_timezone_names as zones) then events.time_zone end as event_time_zone,
        removals.removed_at,
        greatest(events.changed_xid, removals.changed_xid) as last_changed_xid
    from stg_chronotrack__events as events
    left join stg_chronotrack__removals as removals
        on
            removals.stream = 'events'
            and events.timing_partner_id = removals.timing_partner_id
            and events.event_id = removals.record_key
) as zoned;
analyze int_chronotrack_events_dated;

create view int_chronotrack_brackets_placed as
select
    'chronotrack/' || brackets.timing_partner_id || '/' || brackets.division_id as division_key,
    brackets.source_provider,
    brackets.timing_partner_id,
    brackets.event_id,
    'chronotrack/' || brackets.timing_partner_id || '/' || brackets.event_id as event_key,
    brackets.race_id,
    'chronotrack/' || brackets.timing_partner_id || '/' || brackets.race_id as race_key,
    brackets.division_id,
    brackets.division_name,
    brackets.division_type,
    jsonb_strip_nulls(jsonb_build_object(
        'bracket_wants_leaderboard', brackets.wants_leaderboard,
        'removed_at', removals.removed_at
    )) as provider_fields,
    brackets.read_at as fetched_date,
    greatest(brackets.changed_xid, removals.changed_xid) as changed_xid
from stg_chronotrack__brackets as brackets
left join stg_chronotrack__removals as removals
    on
        removals.stream = 'brackets'
        and brackets.timing_partner_id = removals.timing_partner_id
        and brackets.division_id = removals.record_key;

create view int_chronotrack_intervals_placed as
select
    'chronotrack/' || intervals.timing_partner_id || '/' || intervals.timing_point_id as timing_point_key,
    intervals.source_provider,
    intervals.timing_partner_id,
    intervals.event_id,
    'chronotrack/' || intervals.timing_partner_id || '/' || intervals.event_id as event_key,
    intervals.race_id,
    'chronotrack/' || intervals.timing_partner_id || '/' || intervals.race_id as race_key,
    intervals.timing_point_id,
    intervals.timing_point_name,
    intervals.distance_m,
    -- Only result rows say which interval is the whole course; here its length tells, or the name that
    -- ChronoTrack gives it.
    intervals.distance_m = races.distance_m
    or lower(intervals.timing_point_name) in ('full course', 'finish') as is_finish,
    jsonb_strip_nulls(jsonb_build_object(
        'race_name', intervals.race_name,
        'removed_at', removals.removed_at
    )) as provider_fields,
    intervals.read_at as fetched_date,
    greatest(intervals.changed_xid, races.changed_xid, removals.changed_xid) as changed_xid
from stg_chronotrack__intervals as intervals
left join stg_chronotrack__races as races
    on
        intervals.timing_partner_id = races.timing_partner_id
        and intervals.race_id = races.race_id
left join stg_chronotrack__removals as removals
    on
        removals.stream = 'intervals'
        and intervals.timing_partner_id = removals.timing_partner_id
        and intervals.timing_point_id = removals.record_key;

create view int_chronotrack_results_by_interval as
-- One row per entry and interval, as read, with what else says something about it.
select
    results.source_provider,
    results.timing_partner_id,
    results.event_id,
    results.participant_id,
    results.timing_point_id,
    results.race_id,
    results.is_finish,
    coalesce(results.timing_point_name, intervals.timing_point_name) as timing_point_name,
    intervals.distance_m,
    results.bib_number,
    results.first_name,
    results.last_name,
    results.gender,
    results.gender_as_sent,
    results.age_as_sent,
    results.hometown,
    results.city,
    results.state,
    results.country,
    results.race_name,
    results.bracket_name,
    results.primary_bracket_name,
    results.overall_place,
    results.chip_time_as_sent,
    results.chip_seconds,
    results.gun_time_as_sent,
    results.gun_seconds,
    results.status_in_time,
    results.pace,
    results.gun_pace,
    results.penalty_time,
    results.unreadable,
    results.began_at,
    results.ended_at,
    results.read_at,
    results.changed_at,
    removals.removed_at,
    results.inserted_xid,
    greatest(results.changed_xid, intervals.changed_xid, removals.changed_xid) as changed_xid
from stg_chronotrack__results as results
left join stg_chronotrack__intervals as intervals
    on
        results.timing_partner_id = intervals.timing_partner_id
        and results.event_id = intervals.event_id
        and results.timing_point_id = intervals.timing_point_id
left join stg_chronotrack__removals as removals
    on
        removals.stream = 'results'
        and results.timing_partner_id = removals.timing_partner_id
        and results.event_id || '/' || results.participant_id || '/' || results.timing_point_id = removals.record_key;

create view int_chronotrack_races_in_event as
select
    'chronotrack/' || races.timing_partner_id || '/' || races.race_id as race_key,
    races.source_provider,
    races.timing_partner_id,
    races.event_id,
    'chronotrack/' || races.timing_partner_id || '/' || races.event_id as event_key,
    races.race_id,
    races.race_name,
    races.distance_m,
    races.race_type,
    races.starts_at,
    races.started_at,
    events.time_zone,
    case
        when removals.removed_at is not null then 'removed'
        else coalesce(events.status, 'scheduled')
    end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'race_tag', races.race_tag,
        'race_subtype', races.race_subtype,
        'race_pref_distance_unit', races.preferred_distance_unit,
        'race_planned_end_time', races.ends_at,
        'race_actual_end_time', races.ended_at,
        'race_age_ref_time', races.ages_count_at,
        'removed_at', removals.removed_at
    )) as provider_fields,
    races.read_at as fetched_date,
    greatest(races.changed_xid, events.changed_xid, removals.changed_xid) as changed_xid
from stg_chronotrack__races as races
left join int_chronotrack_events_dated as events
    on
        races.timing_partner_id = events.timing_partner_id
        and races.event_id = events.event_id
left join stg_chronotrack__removals as removals
    on
        removals.stream = 'races'
        and races.timing_partner_id = removals.timing_partner_id
        and races.race_id = removals.record_key;

create view int_runsignup_races_of_events as
-- An event of RunSignUp is one startable distance: it is its own race, under the same key.
select
    event_key as race_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_number,
    event_key,
    event_id as race_id,
    event_name as race_name,
    distance_m,
    event_type as race_type,
    starts_at,
    null::timestamptz as started_at,
    time_zone,
    status,
    jsonb_strip_nulls(jsonb_build_object('distance', distance_as_sent)) as provider_fields,
    fetched_date,
    changed_xid
from int_runsignup_events_with_race;

create view int_runsignup_participants_resolved as
-- A registration is listed either among the participants or among the removed ones. Between two reads it may be in
-- both or have moved back: whichever list changed it last is right.
with participants as (
    select * from stg_runsignup__participants
),
removed as (
    select * from stg_runsignup__removed_participants
),
events as (
    select * from int_runsignup_events_with_race
),
-- Twice read and nevertheless looked up: as a common table it would be read whole.
removals as not materialized (
    select * from stg_runsignup__removals
),
vocabulary as (
    select * from seeds.status_vocabulary
    where source_provider = 'runsignup'
),
paired as (
    select
        participants.*,
        coalesce(participants.timing_partner_id, removed.timing_partner_id) as partner_id,
        coalesce(participants.participant_id, removed.participant_id) as registration_id,
        coalesce(participants.event_id, removed.event_id) as entered_event_id,
        coalesce(participants.event_number, removed.event_number) as entered_event_number,
        coalesce(participants.occasion_id, removed.occasion_id) as race_id,
        removed.participant_id is not null as has_removal,
        removed.removed_reason,
        removed.successor_id,
        removed.updated_at as removed_at,
        removed.first_name as removed_first_name,
        removed.middle_name as removed_middle_name,
        removed.last_name as removed_last_name,
        removed.email as removed_email,
        removed.gender_as_sent as removed_gender_as_sent,
        removed.gender as removed_gender,
        removed.birth_date as removed_birth_date,
        removed.age_as_sent as removed_age_as_sent,
        removed.city as removed_city,
        removed.state as removed_state,
        removed.postal_code as removed_postal_code,
        removed.country as removed_country,
        removed.country_as_sent as removed_country_as_sent,
        removed.race_fee as removed_race_fee,
        removed.amount_paid as removed_amount_paid,
        removed.registered_at as removed_registered_at,
        case when participants.participant_id is null then removed.unreadable else participants.unreadable end
            as fields_unreadable,
        -- Without nothing: unpacked here, and not again for each field that is taken out of it.
        coalesce(participants.record, removed.record)::jsonb - '{}'::text[] as whole_record,
        greatest(participants.read_at, removed.read_at) as fetched_at,
        greatest(participants.changed_xid, removed.changed_xid) as pair_changed_xid
    from participants
    full join removed
        on
            participants.timing_partner_id = removed.timing_partner_id
            and participants.registration_number = removed.registration_number
),
judged as (
    select
        paired.*,
        gone.removed_at as gone_at,
        events.currency,
        events.event_date,
        paired.has_removal
        and (
            paired.participant_id is null
            or (
                withdrawn.removed_at is null
                and coalesce(paired.removed_at >= paired.updated_at, true)
            )
        ) as is_on_the_removed_list,
        coalesce(paired.birth_date, paired.removed_birth_date) as born_on,
        coalesce(paired.age_as_sent, paired.removed_age_as_sent) as age_stated,
        case
        when coalesce(paired.birth_date, paired.removed_birth_date) <= events.event_date and coalesce(paired.birth_date, paired.removed_birth_date) > events.event_date - interval '116 years'
            then extract(year from age(events.event_date, coalesce(paired.birth_date, paired.removed_birth_date)))::int
    end as age_reckoned,
        vocabulary.status as status_of_reason,
        greatest(
            paired.pair_changed_xid, events.changed_xid, gone.changed_xid, withdrawn.changed_xid
        ) as last_changed_xid
    from paired
    left join events
        on
            paired.partner_id = events.timing_partner_id
            and paired.entered_event_number = events.event_number
    left join removals as gone
        on
            gone.stream = 'participants'
            and paired.partner_id = gone.timing_partner_id
            and paired.registration_id = gone.record_key
    left join removals as withdrawn
        on
            withdrawn.stream = 'removed_participants'
            and paired.partner_id = withdrawn.timing_partner_id
            and paired.registration_id = withdrawn.record_key
    left join vocabulary
        on lower(paired.removed_reason) = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
)
select
    'runsignup/' || partner_id || '/' || registration_id as participant_key,
    'runsignup' as source_provider,
    partner_id as timing_partner_id,
    entered_event_id as event_id,
    'runsignup/' || partner_id || '/' || entered_event_id as event_key,
    -- An event of RunSignUp is one startable distance, so it is also the race.
    entered_event_id as race_id,
    'runsignup/' || partner_id || '/' || entered_event_id as race_key,
    registration_id as participant_id,
    md5(
        concat_ws(
            '|',
            partner_id,
            case
                when lower(normalize(concat_ws(' ', coalesce(first_name, removed_first_name), coalesce(last_name, removed_last_name)), nfkc)) <> '' and born_on is not null
                    then 'born|' || lower(normalize(concat_ws(' ', coalesce(first_name, removed_first_name), coalesce(last_name, removed_last_name)), nfkc)) || '|' || to_char(born_on, 'YYYY-MM-DD')
                when lower(normalize(concat_ws(' ', coalesce(first_name, removed_first_name), coalesce(last_name, removed_last_name)), nfkc)) <> '' and coalesce(email, removed_email) is not null
                    then 'mail|' || lower(normalize(concat_ws(' ', coalesce(first_name, removed_first_name), coalesce(last_name, removed_last_name)), nfkc)) || '|' || coalesce(email, removed_email)
                else 'alone|' || 'runsignup/' || partner_id || '/' || registration_id
            end
        )
    ) as global_participant_id,
    null::text as external_id,
    coalesce(first_name, removed_first_name) as first_name,
    coalesce(middle_name, removed_middle_name) as middle_name,
    coalesce(last_name, removed_last_name) as last_name,
    coalesce(email, removed_email) as email,
    phone,
    phone_as_sent,
    coalesce(gender, removed_gender) as gender,
    born_on as birth_date,
    coalesce(age_reckoned, age_stated) as age,
    age_stated as age_as_sent,
    bib_number,
    coalesce(city, removed_city) as city,
    coalesce(state, removed_state) as state,
    coalesce(country, removed_country) as country,
    null::text as nationality,
    coalesce(postal_code, removed_postal_code) as postal_code,
    coalesce(registered_at, removed_registered_at) as registration_date,
    case
        when is_on_the_removed_list then coalesce(status_of_reason, 'unknown')
        when gone_at is not null then 'removed'
        else 'registered'
    end as status,
    case when is_on_the_removed_list then removed_reason end as status_as_sent,
    case
        when is_on_the_removed_list then removed_at
        when gone_at is not null then gone_at
        -- It was on the removed list and came back.
        when has_removal then updated_at
        else registered_at
    end as status_changed_at,
    is_on_the_removed_list or gone_at is not null as is_removed,
    team_id,
    team_name,
    null::text as wave,
    null::text as division,
    case when coalesce(race_fee, removed_race_fee, amount_paid, removed_amount_paid) is not null then currency end
        as currency,
    coalesce(race_fee, removed_race_fee) as race_fee,
    coalesce(amount_paid, removed_amount_paid) as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'race_id', race_id,
        'user_id', user_id,
        'address', nullif(jsonb_strip_nulls(jsonb_build_object(
            'street', street,
            'city', coalesce(city, removed_city),
            'state', coalesce(state, removed_state),
            'zipcode', coalesce(postal_code, removed_postal_code),
            'country_code', coalesce(country_as_sent, removed_country_as_sent)
        )), '{}'),
        'profile_image_url', profile_image_url,
        'chip_num', chip_number,
        'gender_as_sent', case
            when coalesce(gender, removed_gender) is null then coalesce(gender_as_sent, removed_gender_as_sent)
        end,
        'team_info', nullif(jsonb_strip_nulls(jsonb_build_object(
            'team_id', team_id,
            'team_name', team_name,
            'team_type_id', whole_record -> 'team_type_id',
            'team_type', whole_record -> 'team_type',
            'team_gender', whole_record -> 'team_gender',
            'team_bib_num', whole_record -> 'team_bib_num'
        )), '{}'),
        'payment_info', nullif(jsonb_strip_nulls(jsonb_build_object(
            'race_fee', whole_record -> 'race_fee',
            'processing_fee', whole_record -> 'processing_fee',
            'processing_fee_paid_by_user', whole_record -> 'processing_fee_paid_by_user',
            'processing_fee_paid_by_race', whole_record -> 'processing_fee_paid_by_race',
            'offline_payment_amount', whole_record -> 'offline_payment_amount',
            'partner_fee', whole_record -> 'partner_fee',
            'affiliate_profit', whole_record -> 'affiliate_profit',
            'extra_fees', whole_record -> 'extra_fees',
            'usatf_discount_amount_in_cents', whole_record -> 'usatf_discount_amount_in_cents',
            'amount_paid', whole_record -> 'amount_paid',
            'transaction_id', whole_record -> 'transaction_id',
            'rsu_transaction_id', whole_record -> 'rsu_transaction_id'
        )), '{}'),
        -- What has no column and no group of its own, a field that RunSignUp added yesterday included.
        'additional_data', nullif(jsonb_strip_nulls(
            whole_record - array[
                'user', 'registration_id', 'event_id', 'race_id', 'bib_num', 'chip_num', 'age', 'registration_date',
                'last_modified', 'last_modified_ts', 'team_id', 'team_name', 'team_type_id', 'team_type', 'team_gender',
                'team_bib_num', 'race_fee', 'processing_fee', 'processing_fee_paid_by_user',
                'processing_fee_paid_by_race', 'offline_payment_amount', 'partner_fee', 'affiliate_profit',
                'extra_fees', 'usatf_discount_amount_in_cents', 'amount_paid', 'transaction_id', 'rsu_transaction_id',
                'fundraiser_charity_name', 'removed_reason', 'new_registration_id'
            ]
        ), '{}'),
        'fundraiser_charity_name', fundraiser_charity_name,
        'removed_reason', case when is_on_the_removed_list then removed_reason end,
        'new_registration_id', case when is_on_the_removed_list then successor_id end,
        'status_from', case
            when is_on_the_removed_list then 'removed_participants'
            when gone_at is not null then 'removals'
        end,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_stated) > 1, false),
        'unreadable', nullif(array_remove(array_append(fields_unreadable, case when event_date is not null and born_on is not null and age_reckoned is null then 'dob' end), null), '{}')
    )) as provider_fields,
    fetched_at as fetched_date,
    last_changed_xid as changed_xid
from judged;

create view int_chronotrack_entries_resolved as
-- ChronoTrack keeps no list of what was deleted: an entry that a whole read no longer finds is removed.
select
    'chronotrack/' || timing_partner_id || '/' || participant_id as participant_key,
    source_provider,
    timing_partner_id,
    event_id,
    'chronotrack/' || timing_partner_id || '/' || event_id as event_key,
    race_id,
    'chronotrack/' || timing_partner_id || '/' || race_id as race_key,
    participant_id,
    md5(
        concat_ws(
            '|',
            timing_partner_id,
            case
                when lower(normalize(concat_ws(' ', first_name, last_name), nfkc)) <> '' and birth_date is not null
                    then 'born|' || lower(normalize(concat_ws(' ', first_name, last_name), nfkc)) || '|' || to_char(birth_date, 'YYYY-MM-DD')
                when lower(normalize(concat_ws(' ', first_name, last_name), nfkc)) <> '' and email is not null
                    then 'mail|' || lower(normalize(concat_ws(' ', first_name, last_name), nfkc)) || '|' || email
                else 'alone|' || 'chronotrack/' || timing_partner_id || '/' || participant_id
            end
        )
    ) as global_participant_id,
    external_id,
    first_name,
    null::text as middle_name,
    last_name,
    email,
    phone,
    phone_as_sent,
    gender,
    birth_date,
    coalesce(age_reckoned, age_as_sent) as age,
    age_as_sent,
    bib_number,
    city,
    state,
    country,
    null::text as nationality,
    postal_code,
    null::timestamptz as registration_date,
    case when removed_at is not null then 'removed' else status_listed end as status,
    status_as_sent,
    -- ChronoTrack sends no time with a status: the entry last changed with us then, the status not later.
    coalesce(removed_at, changed_at) as status_changed_at,
    removed_at is not null
    or coalesce(
        status_listed in ('cancelled', 'deferred', 'refunded', 'removed', 'transferred', 'withdrawn'), false
    ) as is_removed,
    team_id,
    team_name,
    wave,
    division,
    null::text as currency,
    null::numeric as race_fee,
    null::numeric as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'entry_name', entry_name,
        'entry_type', entry_type,
        'athlete_id', athlete_id,
        'athlete_home_phone', home_phone,
        'athlete_mobile_phone', mobile_phone,
        'athlete_email', case when email is null then email_as_sent end,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'location', nullif(jsonb_strip_nulls(jsonb_build_object(
            'street', street,
            'city', city,
            'region', state,
            'postal_code', postal_code,
            'country', country_as_sent
        )), '{}'),
        'race_name', race_name,
        'reg_choice_id', reg_choice_id,
        'reg_choice_name', reg_choice_name,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_as_sent) > 1, false),
        'unreadable', nullif(array_remove(array_append(null::text[], case when event_date is not null and birth_date is not null and age_reckoned is null then 'athlete_birthdate' end), null), '{}')
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        entries.*,
        events.event_date,
        removals.removed_at,
        case
        when entries.birth_date <= events.event_date and entries.birth_date > events.event_date - interval '116 years'
            then extract(year from age(events.event_date, entries.birth_date))::int
    end as age_reckoned,
        coalesce(vocabulary.status, 'unknown') as status_listed,
        greatest(entries.changed_xid, events.changed_xid, removals.changed_xid) as last_changed_xid
    from stg_chronotrack__entries as entries
    left join int_chronotrack_events_dated as events
        on
            entries.timing_partner_id = events.timing_partner_id
            and entries.event_id = events.event_id
    left join stg_chronotrack__removals as removals
        on
            removals.stream = 'entries'
            and entries.timing_partner_id = removals.timing_partner_id
            and entries.participant_id = removals.record_key
    left join seeds.status_vocabulary as vocabulary
        on
            vocabulary.source_provider = 'chronotrack'
            and upper(entries.status_as_sent) = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as joined;

create view int_runsignup_results_linked as
-- A result knows its entrant only by the registration; what the timer left empty is filled from there.
select
    'runsignup/' || timing_partner_id || '/' || result_id as result_key,
    source_provider,
    timing_partner_id,
    event_id,
    'runsignup/' || timing_partner_id || '/' || event_id as event_key,
    event_id as race_id,
    'runsignup/' || timing_partner_id || '/' || event_id as race_key,
    participant_id,
    result_number,
    'runsignup/' || timing_partner_id || '/' || known_participant_id as participant_key,
    bib as bib_number,
    given_name as first_name,
    family_name as last_name,
    gender_known as gender,
    age,
    home_city as city,
    home_state as state,
    home_country as country,
    chip_time_as_sent as results_time,
    gun_time_as_sent as results_gun_time,
    chip_seconds,
    gun_seconds,
    case when status not in ('did_not_finish', 'did_not_start', 'disqualified') then overall_place end as overall_place,
    status,
    coalesce(removed_at, changed_at) as status_changed_at,
    removed_at is not null as is_removed,
    is_preliminary,
    splits,
    jsonb_strip_nulls(jsonb_build_object(
        'race_id', occasion_id,
        'result_set_id', result_set_id,
        'result_set_name', result_set_name,
        'is_public', is_public,
        'pace', pace,
        'place_as_sent', overall_place,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'unreadable', nullif(array_remove(array_append(unreadable, case when has_unreadable_split then 'splits' end), null), '{}')
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        joined.*,
        split_times.splits,
        split_times.has_unreadable_split,
        case
            when joined.removed_at is not null then 'removed'
            when joined.status_in_time is not null then joined.status_in_time
            when joined.chip_seconds is not null or joined.gun_seconds is not null then 'finished'
            -- A finish that was sent and cannot be read is no runner under way.
            when
                split_times.has_split_time and coalesce(joined.chip_time_as_sent, joined.gun_time_as_sent) is null
                then 'in_progress'
            else 'unknown'
        end as status
    from (
        select
            results.*,
            coalesce(participants.participant_id, removed.participant_id) as known_participant_id,
            coalesce(results.bib_number, participants.bib_number) as bib,
            coalesce(results.first_name, participants.first_name, removed.first_name) as given_name,
            coalesce(results.last_name, participants.last_name, removed.last_name) as family_name,
            coalesce(results.gender, participants.gender, removed.gender) as gender_known,
            coalesce(
                results.age_as_sent,
                case
        when coalesce(participants.birth_date, removed.birth_date) <= events.event_date and coalesce(participants.birth_date, removed.birth_date) > events.event_date - interval '116 years'
            then extract(year from age(events.event_date, coalesce(participants.birth_date, removed.birth_date)))::int
    end,
                participants.age_as_sent,
                removed.age_as_sent
            ) as age,
            coalesce(results.city, participants.city, removed.city) as home_city,
            coalesce(results.state, participants.state, removed.state) as home_state,
            coalesce(results.country, participants.country, removed.country) as home_country,
            removals.removed_at,
            greatest(
                results.changed_xid,
                participants.changed_xid,
                removed.changed_xid,
                events.changed_xid,
                removals.changed_xid
            ) as last_changed_xid
        from stg_runsignup__results as results
        left join stg_runsignup__participants as participants
            on
                results.timing_partner_id = participants.timing_partner_id
                and results.registration_number = participants.registration_number
        left join stg_runsignup__removed_participants as removed
            on
                results.timing_partner_id = removed.timing_partner_id
                and results.registration_number = removed.registration_number
        left join int_runsignup_events_with_race as events
            on
                results.timing_partner_id = events.timing_partner_id
                and results.event_number = events.event_number
        left join stg_runsignup__removals as removals
            on
                removals.stream = 'results'
                and results.timing_partner_id = removals.timing_partner_id
                and results.result_id = removals.record_key
        -- offset 0: what is read above is reckoned here, once, not wherever it is used.
        offset 0
    ) as joined
    left join lateral (
        select
            jsonb_agg(
                jsonb_build_object(
                    'name', nullif(trim(sent.split ->> 'name'), ''),
                    'distance_m', case
        when regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~* '^\s*(full\s+)?marathon\s*$' then 42195
        when regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~* '^\s*(half[\s-]*marathon|1/2\s+marathon|half)\s*$' then 21097.5
        when regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~* '^\s*\d{1,6}(\.\d+)?\s*(k|km|kms|kilomet(er|re)s?)\s*$'
            then trim_scale(substring(regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') from '\d+\.?\d*')::numeric * 1000)
        when regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~* '^\s*\d{1,6}(\.\d+)?\s*(mi|mile|miles)\s*$' or regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~ '^\s*\d{1,6}(\.\d+)?\s*M\s*$'
            then trim_scale(substring(regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') from '\d+\.?\d*')::numeric * 1609.344)
        when regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~* '^\s*\d{1,6}(\.\d+)?\s*(y|yd|yds|yards?)\s*$'
            then trim_scale(substring(regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') from '\d+\.?\d*')::numeric * 0.9144)
        when regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~* '^\s*\d{1,6}(\.\d+)?\s*(met(er|re)s?)\s*$' or regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') ~ '^\s*\d{1,6}(\.\d+)?\s*m\s*$'
            then substring(regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i') from '\d+\.?\d*')::numeric
    end,
                    'chip_seconds', case
        when (sent.split ->> 'time') ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part((sent.split ->> 'time'), ':', 1)::numeric * 3600
                + split_part((sent.split ->> 'time'), ':', 2)::numeric * 60
                + split_part((sent.split ->> 'time'), ':', 3)::numeric
        when (sent.split ->> 'time') ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part((sent.split ->> 'time'), ':', 1)::numeric * 60 + split_part((sent.split ->> 'time'), ':', 2)::numeric
    end,
                    'gun_seconds', null,
                    'time_as_sent', nullif(trim(sent.split ->> 'time'), '')
                )
                order by sent.position
            ) as splits,
            bool_or(case
        when (sent.split ->> 'time') ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part((sent.split ->> 'time'), ':', 1)::numeric * 3600
                + split_part((sent.split ->> 'time'), ':', 2)::numeric * 60
                + split_part((sent.split ->> 'time'), ':', 3)::numeric
        when (sent.split ->> 'time') ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part((sent.split ->> 'time'), ':', 1)::numeric * 60 + split_part((sent.split ->> 'time'), ':', 2)::numeric
    end is not null) as has_split_time,
            bool_or(
                nullif(trim(sent.split ->> 'time'), '') is not null
                and case
        when (sent.split ->> 'time') ~ '^\s*\d{1,3}:[0-5]\d:[0-5]\d(\.\d+)?\s*$'
            then
                split_part((sent.split ->> 'time'), ':', 1)::numeric * 3600
                + split_part((sent.split ->> 'time'), ':', 2)::numeric * 60
                + split_part((sent.split ->> 'time'), ':', 3)::numeric
        when (sent.split ->> 'time') ~ '^\s*\d{1,3}:[0-5]\d(\.\d+)?\s*$'
            then split_part((sent.split ->> 'time'), ':', 1)::numeric * 60 + split_part((sent.split ->> 'time'), ':', 2)::numeric
    end is null
                and case upper(trim((sent.split ->> 'time')))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end is null
            ) as has_unreadable_split
        from
            jsonb_array_elements(
                case when jsonb_typeof(joined.splits_as_sent) = 'array' then joined.splits_as_sent end
            ) with ordinality as sent (split, position)
    ) as split_times on true
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as timed;

create view int_chronotrack_results_folded as
-- ChronoTrack sends a row per athlete and interval; a result is one athlete's whole course, with the rest as splits.
with intervals as (
    select intervals.*
    from int_chronotrack_results_by_interval as intervals
),
every_interval as not materialized (
    select * from int_chronotrack_results_by_interval
),
entries as (
    select * from stg_chronotrack__entries
),
events as (
    select * from int_chronotrack_events_dated
),
vocabulary as (
    select * from seeds.status_vocabulary
    where source_provider = 'chronotrack'
),
-- One pass over each athlete's few rows. Splits stand in the order in which they were passed: names mislead ('5K'
-- after '10K'), clocks do not. What was removed counts only where nothing else is left.
athletes as (
    select
        timing_partner_id,
        event_id,
        participant_id,
        bool_and(removed_at is not null) as is_removed,
        max(removed_at) as removed_at,
        max(read_at) as read_at,
        max(changed_at) as changed_at,
        max(changed_xid) as changed_xid,
        jsonb_agg(
            jsonb_build_object(
                'name', timing_point_name,
                'distance_m', distance_m,
                'chip_seconds', chip_seconds,
                'gun_seconds', gun_seconds,
                'time_as_sent', chip_time_as_sent
            )
            order by ended_at, began_at, distance_m, timing_point_id
        ) filter (where not is_finish and removed_at is null) as splits_kept,
        array_agg(timing_point_id order by ended_at, began_at, distance_m, timing_point_id)
        filter (where not is_finish and removed_at is null) as timing_point_ids_kept,
        bool_or(
            chip_time_as_sent is not null
            and chip_seconds is null
            and case upper(trim(chip_time_as_sent))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end is null
        ) filter (where not is_finish and removed_at is null) as has_unreadable_split_kept,
        jsonb_agg(
            jsonb_build_object(
                'name', timing_point_name,
                'distance_m', distance_m,
                'chip_seconds', chip_seconds,
                'gun_seconds', gun_seconds,
                'time_as_sent', chip_time_as_sent
            )
            order by ended_at, began_at, distance_m, timing_point_id
        ) filter (where not is_finish and removed_at is not null) as splits_removed,
        array_agg(timing_point_id order by ended_at, began_at, distance_m, timing_point_id)
        filter (where not is_finish and removed_at is not null) as timing_point_ids_removed,
        bool_or(
            chip_time_as_sent is not null
            and chip_seconds is null
            and case upper(trim(chip_time_as_sent))
        when 'DNF' then 'did_not_finish'
        when 'DNS' then 'did_not_start'
        when 'DQ' then 'disqualified'
        when 'DSQ' then 'disqualified'
        when 'DNQ' then 'disqualified'
    end is null
        ) filter (where not is_finish and removed_at is not null) as has_unreadable_split_removed,
        -- Of the row that speaks for the athlete: the whole course, or the farthest interval so far.
        (array_agg(
            timing_point_id
            order by
                removed_at is not null,
                is_finish desc,
                ended_at desc nulls last,
                distance_m desc nulls last,
                timing_point_id asc
        ))[1] as best_timing_point_id
    from intervals
    group by timing_partner_id, event_id, participant_id
),
joined as (
    select
        athletes.*,
        entries.participant_id as known_participant_id,
        entries.race_id as entered_race_id,
        entries.first_name as entered_first_name,
        entries.last_name as entered_last_name,
        entries.gender as entered_gender,
        entries.bib_number as entered_bib_number,
        entries.city as entered_city,
        entries.state as entered_state,
        entries.country as entered_country,
        coalesce(case
        when entries.birth_date <= events.event_date and entries.birth_date > events.event_date - interval '116 years'
            then extract(year from age(events.event_date, entries.birth_date))::int
    end, entries.age_as_sent) as entered_age,
        entries.changed_at as entry_changed_at,
        -- Only some words of an entry say how its race ended.
        nullif(vocabulary.result_status, '') as entry_status,
        greatest(athletes.changed_xid, entries.changed_xid, events.changed_xid) as last_changed_xid
    from athletes
    left join entries
        on
            athletes.timing_partner_id = entries.timing_partner_id
            and athletes.participant_id = entries.participant_id
    left join events
        on
            athletes.timing_partner_id = events.timing_partner_id
            and athletes.event_id = events.event_id
    left join vocabulary
        on upper(entries.status_as_sent) = vocabulary.status_as_sent
),
timed as (
    select
        joined.*,
        best.race_id,
        best.timing_point_id,
        best.is_finish,
        best.bib_number,
        best.first_name,
        best.last_name,
        best.gender,
        best.gender_as_sent,
        best.age_as_sent,
        best.city,
        best.state,
        best.country,
        best.hometown,
        best.race_name,
        best.bracket_name,
        best.primary_bracket_name,
        best.began_at,
        best.ended_at,
        best.unreadable,
        best.status_in_time,
        case when joined.is_removed then joined.splits_removed else joined.splits_kept end as splits,
        case when joined.is_removed then joined.timing_point_ids_removed else joined.timing_point_ids_kept end
            as timing_point_ids,
        case
            when joined.is_removed then joined.has_unreadable_split_removed else joined.has_unreadable_split_kept
        end as has_unreadable_split,
        case when best.is_finish then best.overall_place end as overall_place,
        case when best.is_finish then best.chip_time_as_sent end as chip_time_as_sent,
        case when best.is_finish then best.chip_seconds end as chip_seconds,
        case when best.is_finish then best.gun_time_as_sent end as gun_time_as_sent,
        case when best.is_finish then best.gun_seconds end as gun_seconds,
        case when best.is_finish then best.pace end as pace,
        case when best.is_finish then best.gun_pace end as gun_pace,
        case when best.is_finish then best.penalty_time end as penalty_time
    from joined
    inner join every_interval as best
        on
            joined.timing_partner_id = best.timing_partner_id
            and joined.event_id = best.event_id
            and joined.participant_id = best.participant_id
            and joined.best_timing_point_id = best.timing_point_id
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
),
judged as (
    select
        *,
        case
            when is_removed then 'removed'
            when entry_status is not null then entry_status
            when is_finish and status_in_time is not null then status_in_time
            when chip_seconds is not null or gun_seconds is not null then 'finished'
            -- Something was read on the course and no finish yet; a finish that cannot be read is no such thing.
            when not is_finish or chip_time_as_sent is null then 'in_progress'
            else 'unknown'
        end as status
    from timed
)
select
    'chronotrack/' || timing_partner_id || '/' || event_id || '/' || participant_id as result_key,
    'chronotrack' as source_provider,
    timing_partner_id,
    event_id,
    'chronotrack/' || timing_partner_id || '/' || event_id as event_key,
    coalesce(race_id, entered_race_id) as race_id,
    'chronotrack/' || timing_partner_id || '/' || coalesce(race_id, entered_race_id) as race_key,
    participant_id,
    'chronotrack/' || timing_partner_id || '/' || known_participant_id as participant_key,
    coalesce(bib_number, entered_bib_number) as bib_number,
    coalesce(first_name, entered_first_name) as first_name,
    coalesce(last_name, entered_last_name) as last_name,
    coalesce(gender, entered_gender) as gender,
    coalesce(age_as_sent, entered_age) as age,
    coalesce(city, entered_city) as city,
    coalesce(state, entered_state) as state,
    coalesce(country, entered_country) as country,
    chip_time_as_sent as results_time,
    gun_time_as_sent as results_gun_time,
    chip_seconds,
    gun_seconds,
    case when status not in ('did_not_finish', 'did_not_start', 'disqualified') then overall_place end as overall_place,
    status,
    case
        when is_removed then removed_at
        when entry_status is not null then entry_changed_at
        else changed_at
    end as status_changed_at,
    is_removed,
    null::boolean as is_preliminary,
    splits,
    jsonb_strip_nulls(jsonb_build_object(
        'results_interval_id', case when is_finish then timing_point_id end,
        -- The rows that are folded into this one: reconciliation finds each of them here.
        'interval_ids', array_remove(
            array_append(timing_point_ids, case when is_finish then timing_point_id end), null
        ),
        'results_hometown', hometown,
        'results_race_name', race_name,
        'results_bracket_name', bracket_name,
        'results_primary_bracket_name', primary_bracket_name,
        'results_pace', pace,
        'results_gun_pace', gun_pace,
        'results_penalty_time', penalty_time,
        'results_begin_chip_time', began_at,
        'results_end_chip_time', case when is_finish then ended_at end,
        'results_rank', overall_place,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'unreadable', nullif(array_remove(array_append(case when is_finish then unreadable end, case when has_unreadable_split then 'splits' end), null), '{}')
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from judged;
