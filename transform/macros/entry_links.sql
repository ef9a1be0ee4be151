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


{% macro is_anything_unlogged(relations) -%}
    {#- Whether the candidates' log cannot tell what changed in one of these: built whole since the last publish. -#}
    {%- if execute -%}
        {%- set found = run_query(
            "select count(*) from unnest(array['" ~ relations | join("', '") ~ "']) as named (relation)"
            ~ " where exists (select from " ~ source('hub', 'candidate_wholes') ~ " as logged"
            ~ " where logged.relation = named.relation) or not exists (select from pg_catalog.pg_trigger as triggers"
            ~ " where triggers.tgrelid = to_regclass('" ~ source('candidate', 'entry_links').schema ~ ".' || named.relation)"
            ~ " and triggers.tgname = 'candidate_log_update')"
        ) -%}
        {{ return(found.columns[0].values()[0] > 0) }}
    {%- endif -%}
{%- endmacro %}


{% macro bib_pairs(keys) -%}
    {#-
        Pairs of a timer's entry and a registration that share bib, partner and day, where the two events share a name or
        the city: of the entries in `keys`, a relation or query of participant_key, each of which is looked up.
    -#}
    {%- set entries, events = ref('unified_participants'), ref('unified_events') -%}
    select distinct
        case when here.source_provider in {{ timers() }} then one.participant_key else other.participant_key end
            as timing_participant_key,
        case when here.source_provider in {{ timers() }} then other.participant_key else one.participant_key end
            as registration_participant_key
    from {{ keys }} as keys
    inner join {{ entries }} as one on keys.participant_key = one.participant_key
    inner join {{ events }} as here on one.event_key = here.event_key
    inner join {{ events }} as there
        on
            here.timing_partner_id = there.timing_partner_id
            and here.event_date = there.event_date
            and (here.source_provider in {{ timers() }}) <> (there.source_provider in {{ timers() }})
            and {{ events_are_alike('here', 'there') }}
    inner join {{ entries }} as other
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
