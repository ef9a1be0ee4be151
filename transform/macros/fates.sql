{% macro fates(due=false) -%}
{#-
    What became of each row received: of those whose keys are due, or of all. Every row is looked for in the candidate
    relations by its key. What is not there and has no reason for it is unaccounted; nothing here is found by
    subtraction.
-#}
{#- Streams whose rows are one candidate row each: names of the keys as the raw table and as due keys have them. -#}
{%- set streams = [
    ['runsignup', 'events', ref('stg_runsignup__events'), ref('due_runsignup_events'), 'event_number',
        ref('unified_events'), 'event_key'],
    ['runsignup', 'participants', ref('stg_runsignup__participants'), ref('due_runsignup_participants'),
        'registration_number', ref('unified_participants'), 'participant_key'],
    ['runsignup', 'results', ref('stg_runsignup__results'), ref('due_runsignup_results'), 'result_number',
        ref('unified_results'), 'result_key'],
    ['chronotrack', 'events', ref('stg_chronotrack__events'), ref('due_chronotrack_events'), 'event_id',
        ref('unified_events'), 'event_key'],
    ['chronotrack', 'races', ref('stg_chronotrack__races'), ref('due_chronotrack_races'), 'race_id',
        ref('unified_races'), 'race_key'],
    ['chronotrack', 'entries', ref('stg_chronotrack__entries'), ref('due_chronotrack_entries'), 'participant_id',
        ref('unified_participants'), 'participant_key'],
    ['chronotrack', 'brackets', ref('stg_chronotrack__brackets'), ref('due_chronotrack_brackets'), 'division_id',
        ref('unified_divisions'), 'division_key'],
    ['chronotrack', 'intervals', ref('stg_chronotrack__intervals'), ref('due_chronotrack_intervals'),
        'timing_point_id', ref('unified_timing_points'), 'timing_point_key'],
    ['letsdothis', 'occurrences', ref('stg_letsdothis__occurrences'), ref('due_letsdothis_occurrences'), 'event_id',
        ref('unified_events'), 'event_key'],
    ['letsdothis', 'races', ref('stg_letsdothis__races'), ref('due_letsdothis_races'), 'race_id',
        ref('unified_races'), 'race_key'],
    ['letsdothis', 'participants', ref('stg_letsdothis__participants'), ref('due_letsdothis_participants'),
        'participant_id', ref('unified_participants'), 'participant_key'],
    ['raceroster', 'events', ref('stg_raceroster__events'), ref('due_raceroster_events'), 'event_id',
        ref('unified_events'), 'event_key'],
    ['raceroster', 'sub_events', ref('stg_raceroster__sub_events'), ref('due_raceroster_sub_events'),
        'race_id', ref('unified_races'), 'race_key'],
    ['raceroster', 'participants', ref('stg_raceroster__participants'), ref('due_raceroster_participants'),
        'participant_id', ref('unified_participants'), 'participant_key'],
    ['raceroster', 'results', ref('stg_raceroster__results'), ref('due_raceroster_results'), 'result_id',
        ref('unified_results'), 'result_key'],
    ['haku', 'events', ref('stg_haku__events'), ref('due_haku_events'), 'event_id', ref('unified_events'), 'event_key'],
    ['haku', 'categories', ref('stg_haku__categories'), ref('due_haku_categories'), ['event_id', 'race_id'],
        ref('unified_races'), 'race_key'],
    ['haku', 'participants', ref('stg_haku__participants'), ref('due_haku_participants'), 'registration_number',
        ref('unified_participants'), 'participant_key'],
    ['haku', 'registrations', ref('stg_haku__registrations'), ref('due_haku_participants'), 'registration_number',
        ref('unified_participants'), 'participant_key'],
    ['copernico', 'events', ref('stg_copernico__events'), ref('due_copernico_events'), 'event_id',
        ref('unified_events'), 'event_key'],
] -%}
{#- Named here as well: dbt learns what a model depends on while parsing, when nothing is due. -#}
{%- set due_races, due_results = ref('due_runsignup_races'), ref('due_chronotrack_results') -%}
{%- set due_of_copernico = [ref('due_copernico_races'), ref('due_copernico_participants'), ref('due_copernico_results')] -%}
{%- set due_occasions, due_applications = ref('due_letsdothis_events'), ref('due_letsdothis_applications') -%}
with
{% for provider, stream, rows, keys, id, relation, key in streams %}
    {%- set ids = [id] if id is string else id %}
    {%- set row_key = entity_key(provider, 'received.timing_partner_id', 'received.' ~ ids | join(" || '/' || received.")) %}
    {{ provider }}_{{ stream }} as (
        select
            received.timing_partner_id,
            '{{ provider }}' as source_provider,
            '{{ stream }}' as stream,
            {{ row_key }} as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.{{ key }} is not null then 'candidate' end as fate
        from {{ rows }} as received
        {%- if due %}
        inner join {{ keys }} as due
            on
                received.timing_partner_id = due.timing_partner_id
                {%- for name in ids %}
                and received.{{ name }} = due.{{ name }}
                {%- endfor %}
        {%- endif %}
        left join {{ relation }} as candidate
            on {{ row_key }} = candidate.{{ key }}
    ),
{% endfor %}
runsignup_races as (
    -- RunSignUp's race is the occasion: it stands in its events. Without an event it has nothing to publish.
    select
        received.timing_partner_id,
        'runsignup' as source_provider,
        'races' as stream,
        {{ entity_key('runsignup', 'received.timing_partner_id', 'received.occasion_id') }} as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when events.event_number is null then 'superseded'
            when
                exists (
                    select from {{ ref('stg_runsignup__events') }} as held
                    inner join {{ ref('unified_events') }} as candidate
                        on
                            {{ entity_key('runsignup', 'held.timing_partner_id', 'held.event_id') }}
                            = candidate.event_key
                    where
                        held.timing_partner_id = received.timing_partner_id
                        and held.race_number = received.race_number
                        and candidate.occasion_id = received.occasion_id
                ) then 'candidate'
        end as fate
    from {{ ref('stg_runsignup__races') }} as received
    {%- if due %}
    inner join {{ due_races }} as due
        on
            received.timing_partner_id = due.timing_partner_id
            and received.race_number = due.race_number
    {%- endif %}
    left join lateral (
        select held.event_number
        from {{ ref('stg_runsignup__events') }} as held
        where
            held.timing_partner_id = received.timing_partner_id
            and held.race_number = received.race_number
        limit 1
    ) as events on true
),

runsignup_removed_participants as (
    -- The candidate row says from which list its status comes. A removal gives way only to a participant row.
    select
        received.timing_partner_id,
        'runsignup' as source_provider,
        'removed_participants' as stream,
        {{ entity_key('runsignup', 'received.timing_partner_id', 'received.participant_id') }} as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when candidate.provider_fields ->> 'status_from' = 'removed_participants' then 'candidate'
            when candidate.participant_key is not null and participants.participant_id is not null then 'superseded'
        end as fate
    from {{ ref('stg_runsignup__removed_participants') }} as received
    {%- if due %}
    inner join {{ ref('due_runsignup_participants') }} as due
        on
            received.timing_partner_id = due.timing_partner_id
            and received.registration_number = due.registration_number
    {%- endif %}
    left join {{ ref('unified_participants') }} as candidate
        on
            {{ entity_key('runsignup', 'received.timing_partner_id', 'received.participant_id') }}
            = candidate.participant_key
    left join {{ ref('stg_runsignup__participants') }} as participants
        on
            received.timing_partner_id = participants.timing_partner_id
            and received.registration_number = participants.registration_number
),

chronotrack_results as (
    -- A result names the interval rows that are folded into it. Left out is what was removed, or a second row that
    -- claims the whole course.
    select
        received.timing_partner_id,
        'chronotrack' as source_provider,
        'results' as stream,
        {{ entity_key(
            'chronotrack', 'received.timing_partner_id', 'received.event_id', 'received.participant_id',
            'received.timing_point_id'
        ) }} as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when candidate.provider_fields -> 'interval_ids' ? received.timing_point_id then 'candidate'
            when candidate.result_key is not null and (received.removed_at is not null or received.is_finish)
                then 'superseded'
        end as fate
    from {{ ref('int_chronotrack_results_by_interval') }} as received
    {%- if due %}
    inner join {{ due_results }} as due
        on
            received.timing_partner_id = due.timing_partner_id
            and received.event_id = due.event_id
            and received.participant_id = due.participant_id
    {%- endif %}
    left join {{ ref('unified_results') }} as candidate
        on
            {{ entity_key(
                'chronotrack', 'received.timing_partner_id', 'received.event_id', 'received.participant_id'
            ) }} = candidate.result_key
),

letsdothis_events as (
    -- Let's Do This's event is the occasion: it stands in its occurrences. Without one it has nothing to publish.
    select
        received.timing_partner_id,
        'letsdothis' as source_provider,
        'events' as stream,
        {{ entity_key('letsdothis', 'received.timing_partner_id', 'received.occasion_id') }} as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when occurrences.event_id is null then 'superseded'
            when
                exists (
                    select from {{ ref('stg_letsdothis__occurrences') }} as held
                    inner join {{ ref('unified_events') }} as candidate
                        on
                            {{ entity_key('letsdothis', 'held.timing_partner_id', 'held.event_id') }}
                            = candidate.event_key
                    where
                        held.timing_partner_id = received.timing_partner_id
                        and held.occasion_id = received.occasion_id
                        and candidate.occasion_id = received.occasion_id
                ) then 'candidate'
        end as fate
    from {{ ref('stg_letsdothis__events') }} as received
    {%- if due %}
    inner join {{ due_occasions }} as due
        on
            received.timing_partner_id = due.timing_partner_id
            and received.occasion_id = due.occasion_id
    {%- endif %}
    left join lateral (
        select held.event_id
        from {{ ref('stg_letsdothis__occurrences') }} as held
        where
            held.timing_partner_id = received.timing_partner_id
            and held.occasion_id = received.occasion_id
        limit 1
    ) as occurrences on true
),

letsdothis_applications as (
    -- An application is a row of its own until somebody enters with it: then it stands in the entrant's row.
    select
        received.timing_partner_id,
        'letsdothis' as source_provider,
        'applications' as stream,
        {{ entity_key('letsdothis', 'received.timing_partner_id', 'received.application_id') }} as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when candidate.participant_key is not null then 'candidate'
            when entered.participant_key is not null then 'superseded'
        end as fate
    from {{ ref('stg_letsdothis__applications') }} as received
    {%- if due %}
    inner join {{ due_applications }} as due
        on
            received.timing_partner_id = due.timing_partner_id
            and received.application_id = due.application_id
    {%- endif %}
    left join {{ ref('unified_participants') }} as candidate
        on
            {{ entity_key('letsdothis', 'received.timing_partner_id', 'received.application_id') }}
            = candidate.participant_key
    left join lateral (
        select entries.participant_key
        from {{ ref('stg_letsdothis__participants') }} as held
        inner join {{ ref('unified_participants') }} as entries
            on {{ entity_key('letsdothis', 'held.timing_partner_id', 'held.participant_id') }} = entries.participant_key
        where
            held.timing_partner_id = received.timing_partner_id
            and held.application_id = received.application_id
        limit 1
    ) as entered on true
),

{#- Athletes are known by event and id; a row is a row. -#}
{% for stream, rows, keys, relation, key in [
    ['participants', ref('stg_copernico__participants'), ref('due_copernico_participants'),
        ref('unified_participants'), 'participant_key'],
    ['results', ref('stg_copernico__results'), ref('due_copernico_results'), ref('unified_results'), 'result_key'],
] %}
    copernico_{{ stream }} as (
        select
            received.timing_partner_id,
            'copernico' as source_provider,
            '{{ stream }}' as stream,
            {{ entity_key('copernico', 'received.timing_partner_id', 'received.event_id', 'received.participant_id') }}
                as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.{{ key }} is not null then 'candidate' end as fate
        from {{ rows }} as received
        {%- if due %}
        inner join {{ keys }} as due
            on
                received.timing_partner_id = due.timing_partner_id
                and received.event_id = due.event_id
                and received.participant_id = due.participant_id
        {%- endif %}
        left join {{ relation }} as candidate
            on
                {{ entity_key(
                    'copernico', 'received.timing_partner_id', 'received.event_id', 'received.participant_id'
                ) }} = candidate.{{ key }}
    ),
{% endfor %}
copernico_races as (
    -- Copernico's race is the occasion: it stands in its events. Without an event it has nothing to publish.
    select
        received.timing_partner_id,
        'copernico' as source_provider,
        'races' as stream,
        {{ entity_key('copernico', 'received.timing_partner_id', 'received.occasion_id') }} as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when
                not exists (
                    select from {{ ref('stg_copernico__events') }} as held
                    where
                        held.timing_partner_id = received.timing_partner_id
                        and held.occasion_id = received.occasion_id
                ) then 'superseded'
            when
                exists (
                    select from {{ ref('stg_copernico__events') }} as held
                    inner join {{ ref('unified_events') }} as candidate
                        on
                            {{ entity_key('copernico', 'held.timing_partner_id', 'held.event_id') }}
                            = candidate.event_key
                    where
                        held.timing_partner_id = received.timing_partner_id
                        and held.occasion_id = received.occasion_id
                ) then 'candidate'
        end as fate
    from {{ ref('stg_copernico__races') }} as received
    {%- if due %}
    inner join {{ ref('due_copernico_races') }} as due
        on
            received.timing_partner_id = due.timing_partner_id
            and received.occasion_id = due.occasion_id
    {%- endif %}
),

received as (
    {% for provider, stream, rows, keys, id, relation, key in streams %}
        select * from {{ provider }}_{{ stream }}
        union all
    {% endfor %}
    select * from runsignup_races
    union all
    select * from runsignup_removed_participants
    union all
    select * from chronotrack_results
    union all
    select * from copernico_races
    union all
    select * from copernico_participants
    union all
    select * from copernico_results
    union all
    select * from letsdothis_events
    union all
    select * from letsdothis_applications
)

select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    row_key,
    -- A row that came, or changed, while the models were being built is the next build's.
    coalesce(fate, case when changed_xid < {{ seen_until() }} then 'unaccounted' else 'next' end) as fate,
    inserted_xid
from received
{%- for provider, rejects in [
    ('runsignup', ref('stg_runsignup__rejects')), ('chronotrack', ref('stg_chronotrack__rejects')),
    ('copernico', ref('stg_copernico__rejects')),
    ('haku', ref('stg_haku__rejects')),
    ('letsdothis', ref('stg_letsdothis__rejects')),
    ('raceroster', ref('stg_raceroster__rejects'))
] %}

union all

-- Refused by the tap: under the stream they were meant for.
select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    {{ entity_key(provider, 'timing_partner_id', "'rejects'", 'reject_id') }} as row_key,
    'rejected' as fate,
    inserted_xid
from {{ rejects }}
{%- if due %}
where changed_xid >= {{ mark_literal() }}
{%- endif %}
{%- endfor %}
{%- endmacro %}
