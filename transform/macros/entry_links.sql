{#-
    Entries of one race that two providers know: registered at one, timed at the other. Every other provider is where
    people register. A new provider that times goes into the first list, one whose entries are pushed to timers into the
    second, with the letters that its ids carry there.
-#}
{% macro timers() -%}
    ('chronotrack', 'copernico')
{%- endmacro %}


{% macro pushed_letters() -%}
    {#- Assumed, but for RunSignUp's: the sample on the provider page of ChronoTrack has those. -#}
    {{ return([['RS-', 'runsignup'], ['RR-', 'raceroster'], ['HK-', 'haku'], ['LD-', 'letsdothis']]) }}
{%- endmacro %}


{% macro pushed_entry_key(entry) -%}
    {#- The key of the registration that a timer's entry names as its external id. -#}
    case left({{ entry }}.external_id, 3)
        {%- for letters, provider in pushed_letters() %}
        when '{{ letters }}'
            then {{ entity_key(provider, entry ~ '.timing_partner_id', 'substr(' ~ entry ~ '.external_id, 4)') }}
        {%- endfor %}
    end
{%- endmacro %}


{% macro pushed_id(entry) -%}
    {#- What a timer shows as external id of a registration. -#}
    case {{ entry }}.source_provider
        {%- for letters, provider in pushed_letters() %}
        when '{{ provider }}' then '{{ letters }}' || {{ entry }}.participant_id
        {%- endfor %}
    end
{%- endmacro %}


{% macro bib_key(bib) -%}
    {#- 0012 on the bib is 12 in the list. -#}
    nullif(ltrim(upper({{ bib }}), '0'), '')
{%- endmacro %}


{% macro name_key(name) -%}
    lower(regexp_replace(normalize({{ name }}, nfkd), '[\u0300-\u036f]', '', 'g'))
{%- endmacro %}


{% macro bib_pairs(keys, entries, events) -%}
    {#-
        Pairs of a timer's entry and a registration that share bib, partner and day, where the two events share a name or
        the city. Of the entries in `keys`, a relation or query of participant_key: each key is looked up. `entries` and
        `events` are where these are read; whom they pair with is always read from what would be published.
    -#}
    select
        case when here.source_provider in {{ timers() }} then one.participant_key else other.participant_key end
            as timing_participant_key,
        case when here.source_provider in {{ timers() }} then other.participant_key else one.participant_key end
            as registration_participant_key
    from {{ keys }} as keys
    inner join {{ entries }} as one on keys.participant_key = one.participant_key
    inner join {{ events }} as here on one.event_key = here.event_key
    inner join {{ ref('unified_events') }} as there
        on
            here.timing_partner_id = there.timing_partner_id
            and here.event_date = there.event_date
            and (here.source_provider in {{ timers() }}) <> (there.source_provider in {{ timers() }})
            and {{ events_are_alike('here', 'there') }}
    inner join {{ ref('unified_participants') }} as other
        on
            there.event_key = other.event_key
            and {{ bib_key('one.bib_number') }} = {{ bib_key('other.bib_number') }}
{%- endmacro %}


{% macro events_are_alike(one, other) -%}
    (
        lower({{ one }}.city) = lower({{ other }}.city)
        or lower({{ one }}.event_name) in (lower({{ other }}.event_name), lower({{ other }}.occasion_name))
        or lower({{ one }}.occasion_name) in (lower({{ other }}.event_name), lower({{ other }}.occasion_name))
    )
{%- endmacro %}
